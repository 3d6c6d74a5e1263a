# SPDX-License-Identifier: Apache-2.0
# `stats`: text and JSON of a small table, what it warns about and what it refuses.
stats() { "$SCINTIGEN" stats "$@"; }
cat >t.csv <<'CSV'
participant_id,set,count,hit
sub-01,real,1.5,1
sub-02,real,2.5,0
sub-03,real,2.0,1
sub-04,real,n/a,1
sub-01,made,2.5,1
sub-02,made,3.0,0
sub-03,made,4.5,0
sub-05,made,3.5,0
CSV
works stats t.csv --value count --group set --pair participant_id --margin 2 --control real --resamples 200
has 'one-way ANOVA' works.out
has 'Wilcoxon signed rank' works.out
has 'Dunnett, control' works.out
has 'dropped: 1 rows, missing_value' works.out
has 'warning: few values' works.out
[ ! -s works.err ] || fail "something on stderr"
works stats t.csv --value count --group set --pair participant_id --json --resamples 200
cp works.out first.json
for key in anova welch_anova kruskal tukey dunnett games_howell paired_t welch_t wilcoxon mann_whitney ks effect_size; do
  has "\"$key\"" first.json
done
has '"missing_value": 1' first.json
if grep -qiE 'nan|inf[^o]' first.json; then fail "a figure that is no number"; fi
works stats t.csv --value count --group set --pair participant_id --json --resamples 200
cmp -s works.out first.json || fail "the same command gave other figures"
tr ',' '\t' <t.csv >t.tsv
works stats t.tsv --value hit --group set --pair participant_id --json
has '"mcnemar"' works.out
# Slices: the same person several times.
(cat t.csv && printf 'sub-01,real,1.75,1\nsub-05,made,3.25,0\n') >slices.csv
works stats slices.csv --value count --group set
has 'warning: rows stand for patients' works.out
works stats slices.csv --value count --group set --cluster participant_id
has "==== the same on the means of each 'participant_id'" works.out
# Text from the file stays text.
printf 'g,v\n<script>alert(1)</script>,1\n<script>alert(1)</script>,2\nb,3\nb,5\n' >markup.csv
works stats markup.csv --value v --group g --json
has '<script>' works.out
# Degenerate tables are results that say why.
printf 'g,v\na,1\na,1\nb,1\nb,1\n' >equal.csv
works stats equal.csv --value v --group g
has 'not computed: all values are equal' works.out
printf 'g,v\na,1\nb,2\n' >single.csv
works stats single.csv --value v --group g
has 'every group has one value' works.out
(echo g,v && awk 'BEGIN { for (i = 0; i < 20000; ++i) print "g" i % 5000 "," i % 13 }') >many.csv
works stats many.csv --value v --group g
has 'comparisons of pairs take at most 50 groups' works.out
# Refusals
refuses 'TABLE is not given' stats --value count --group set
refuses '--value is not given' stats t.csv --group set
refuses "no column 'counts'; did you mean 'count'?" stats t.csv --value counts --group set
refuses "expected a number or n/a, found 'real'" stats t.csv --value set --group hit
refuses "no group 'reel' with values for the control; did you mean 'real'?" stats t.csv --value count --group set --control reel
refuses "pair 'sub-01' is twice in group 'real'" stats slices.csv --value count --group set --pair participant_id
refuses 'margin is out of range' stats t.csv --value count --group set --margin -1
refuses "adjust cannot be 'holme'" stats t.csv --value count --group set --adjust holme
refuses 'expected 100 to 1000000' stats t.csv --value count --group set --resamples 5
refuses 'missing.csv' stats missing.csv --value count --group set
printf 'g,v\na,inf\nb,2\n' >infinite.csv
refuses "expected a finite number of at most 1e+100, found 'inf'" stats infinite.csv --value v --group g
printf 'g,v\na,1\na,2\n' >alone.csv
refuses "has one group with values, 'a'" stats alone.csv --value v --group g
: >empty.csv
refuses 'empty file' stats empty.csv --value v --group g
