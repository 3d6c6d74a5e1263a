# SPDX-License-Identifier: Apache-2.0
# train siamese -> detect fit -> detect apply on simulated people: a planted lesion is the cluster ranked first, shards give the
# same planes, refusals by their text.
works "$SCINTIGEN" simulate --participants 9 --spect-iterations 1 --spect-matrix 40 --spect-slices 12 --seed 3 --out scans
printf 'participant_id\tmodality\tfile\n' >people.tsv
for n in 1 2 3 4 5 6 7 8 9; do
  printf 'sub-00%d\tspect\tscans/sub-00%d/ses-rest/spect/sub-00%d_ses-rest_spect.nii.gz\n' $n $n $n >>people.tsv
done
works "$SCINTIGEN" prepare --table people.tsv --registered --modalities spect --brain none --keep-head --spacing-mm 4 --out prepared
cohort=prepared/native

# The planted lesion: 5 x 5 voxels of 4 planes of the last person become 0. float32 from byte 352, i fastest.
scan=$cohort/sub-009/sub-009_space-native_spect.nii
short() { od -An -t d2 -j "$1" -N 2 "$scan" | tr -d ' '; }
ni=$(short 42) nj=$(short 44) nk=$(short 46)
i=$((ni / 2 - 8)) j=$((nj / 2)) k=$((nk / 2 - 2))
for plane in 0 1 2 3; do
  for row in 0 1 2 3 4; do
    dd if=/dev/zero of="$scan" bs=4 seek=$((88 + ((k + plane) * nj + j + row) * ni + i)) count=5 conv=notrunc status=none
  done
done

train() { "$SCINTIGEN" train siamese "$cohort" --modalities spect --leave-out sub-009 --threads 1 "$@"; }
works train --patches 600 --epochs 2 --hold-out 2 --out features
has 'patches of spect: 6 people to train on, 2 held out' works.err
has 'reconstruction' features/scores.csv

fit() { "$SCINTIGEN" detect fit "$cohort" --features features --leave-out sub-009 --threads 1 "$@"; }
works fit --folds 4 --out detector
has "8 controls" works.err
works fit --folds 4 --out detector
has '0 planes fitted' works.err
refuses 'holds a detector of other controls, settings or features; name another --out' fit --folds 4 --nu 0.1 --out detector

# Two shards, in one folder and in two, are the whole, bit for bit.
works fit --folds 4 --out parts --shard 1/2
has 'shard 1/2 done' works.err
refuses 'planes are not fitted, the first is' fit --folds 4 --out parts --merge
refuses 'is not fitted yet; run the same `scintigen detect fit` again' "$SCINTIGEN" detect apply "$cohort" --detector parts --out early
works fit --folds 4 --out other --shard 2/2
cp other/planes/*.safetensors parts/planes/
works fit --folds 4 --out parts --merge
has 'planes are there' works.err
diff -r detector/planes parts/planes >/dev/null || fail "shards differ from the whole"
cmp detector/detector.json parts/detector.json
[ -s parts/shards/1-of-2/run.json ] || fail "no record of the shard"
refuses '--shard 3/2: expected i/n' fit --folds 4 --out parts --shard 3/2
refuses '--merge sees that all shards are there; give it without --shard' fit --folds 4 --out parts --merge --shard 1/2

apply() { "$SCINTIGEN" detect apply "$cohort" --threads 1 "$@"; }
works apply --detector detector --participants sub-009 --clusters 5 --out found
cp works.err found.err
for file in score.nii.gz z.nii.gz p.nii.gz clusters.nii.gz clusters.tsv; do
  [ -s "found/sub-009/sub-009_$file" ] || fail "no sub-009_$file"
done
[ -s found/sub-009/overlay_1.png ] || fail "no picture"
has 'not for diagnosis' found/sub-009/report.html
[ "$(wc -l <found/sub-009/sub-009_clusters.tsv)" -le 6 ] || fail "more than 5 clusters"
# The place of the lesion in mm, by the header's srow_x, _y, _z (four floats each from byte 280).
header() { od -An -t f4 -j "$1" -N 4 "$scan" | tr -d ' '; }
awk -F '\t' -v sx="$(header 280)" -v x="$(header 292)" -v sy="$(header 300)" -v y="$(header 308)" -v sz="$(header 320)" \
  -v z="$(header 324)" -v i=$((i + 2)) -v j=$((j + 2)) -v k="$((k + 1)).5" '
  NR == 1 { for (c = 1; c <= NF; ++c) at[$c] = c }
  NR == 2 {
    d = sqrt(($at["centre_x"] - x - sx * i)^2 + ($at["centre_y"] - y - sy * j)^2 + ($at["centre_z"] - z - sz * k)^2)
    print "the first cluster lies " d " mm from the lesion"
    exit d > 15
  }' found/sub-009/sub-009_clusters.tsv || fail "the planted lesion is not the cluster ranked first"
# A detector with p-values bounds them by itself, where controls are not too few.
grep -q '"p_value": 0.01' found/run.json || fail "no bound of p by default"
has '8 controls are too few to call any score as rare as p = 0.01' found.err
# All people at once, with and without it: the same scores, other clusters.
works apply --detector detector --participants sub-008,sub-009 --p-value 1 --clusters 1 --least-ml 20 --out mild
works apply --detector detector --participants sub-008,sub-009 --p-value 0.05 --clusters 1 --least-ml 20 --out strict
voxels() { awk -F '\t' 'NR == 1 { for (c = 1; c <= NF; ++c) at[$c] = c } NR == 2 { print $at["voxels"] }' "$1/sub-009/sub-009_clusters.tsv"; }
[ "$(voxels mild)" -gt "$(voxels strict)" ] || fail "a bound of p leaves $(voxels strict) voxels, none $(voxels mild)"
cmp found/sub-009/sub-009_score.nii.gz strict/sub-009/sub-009_score.nii.gz

# Less uptake than controls, more, or any: a map says it, the table too, and clusters are where it is asked for.
[ -s found/sub-009/sub-009_uptake-t.nii.gz ] || fail "no sub-009_uptake-t.nii.gz"
works apply --detector detector --participants sub-009 --uptake lower --clusters 5 --out lower
works apply --detector detector --participants sub-009 --uptake higher --clusters 5 --out higher
uptakes() { awk -F '\t' 'NR == 1 { for (c = 1; c <= NF; ++c) at[$c] = c; if (!at["uptake_t"]) print "no column" } NR > 1 { print $at["uptake_t"] }' "$1/sub-009/sub-009_clusters.tsv"; }
[ "$(uptakes lower | head -n 1 | cut -c 1)" = - ] || fail "the lesion has no lower uptake: $(uptakes lower)"
[ -z "$(uptakes lower | grep -v '^-')" ] || fail "a cluster of lower uptake has $(uptakes lower)"
[ -n "$(uptakes higher)" ] || fail "no cluster of higher uptake"
[ -z "$(uptakes higher | grep -v '^[0-9]')" ] || fail "a cluster of higher uptake has $(uptakes higher)"
has 'Clusters are only where it is below 0 (--uptake lower).' lower/sub-009/report.html
has 'Clusters are of voxels with p of 0.05 or less.' strict/sub-009/report.html
# Where it is not lower, z is 0 and p is 1; where it is, all is as it was.
for map in uptake-t z p; do
  gzip -dc "found/sub-009/sub-009_$map.nii.gz" >"any_$map.nii"
  gzip -dc "lower/sub-009/sub-009_$map.nii.gz" >"lower_$map.nii"
done
perl -e 'my ($t, $z, $p, $low_z, $low_p) = map { open(my $f, "<:raw", $_) or die "$_\n"; local $/; [unpack("f<*", substr(<$f>, 352))] } @ARGV;
  my $both = 0;
  for (0 .. $#$t) {
    my $here = $t->[$_] < 0;
    $both |= $here && $z->[$_] ? 1 : $z->[$_] ? 2 : 0;
    die "voxel $_: t $t->[$_], z $low_z->[$_], p $low_p->[$_]\n" if $low_z->[$_] != ($here ? $z->[$_] : 0) || $low_p->[$_] != ($here ? $p->[$_] : 1);
  }
  die "nothing to compare\n" if $both != 3' any_uptake-t.nii any_z.nii any_p.nii lower_z.nii lower_p.nii || fail "z or p outside lower uptake"
cmp found/sub-009/sub-009_uptake-t.nii.gz lower/sub-009/sub-009_uptake-t.nii.gz

# Without the brain's edge there is less of the map.
works apply --detector detector --participants sub-009 --margin-mm 12 --out inner
filled() { gunzip -c "$1/sub-009/sub-009_score.nii.gz" | tail -c +353 | tr -d '\0' | wc -c; }
[ "$(filled inner)" -lt "$(filled found)" ] && [ "$(filled inner)" -gt 0 ] || fail "--margin-mm changed no map"
# p is 1 where nothing was scored: the map's first voxel, in the corner.
corner() { gunzip -c "$1/sub-009/sub-009_p.nii.gz" | od -An -t f4 -j 352 -N 4 | tr -d ' '; }
[ "$(corner inner)" = 1 ] || fail "p is $(corner inner) where nothing was scored"
works apply --detector detector --participants sub-009 --p-value 1e-9 --out rare
has 'no z is as rare among these controls as --p-value asks' works.err
has 'no z is as rare' rare/sub-009/report.html

# The person's own space: prepare's map from the template moves every place 8 mm to the right (ITK: LPS).
cp -r prepared/native prepared/template
sed -i 's/"space": "native"/"space": "template"/' prepared/template/volumes.json
mkdir -p prepared/transforms/sub-009
printf '%s\n' '#Insight Transform File V1.0' '#Transform 0' 'Transform: AffineTransform_double_3_3' \
  'Parameters: 1 0 0 0 1 0 0 0 1 -8 0 0' 'FixedParameters: 0 0 0' >prepared/transforms/sub-009/sub-009_spect_from-template.tfm
own() { "$SCINTIGEN" detect apply prepared/template --detector detector --threads 1 --native prepared/native "$@"; }
works own --participants sub-009 --clusters 5 --out own
for file in space-native_z.nii.gz space-native_clusters.nii.gz space-native_clusters.tsv; do
  [ -s "own/sub-009/sub-009_$file" ] || fail "no sub-009_$file"
done
first() { awk -F '\t' 'NR == 1 { for (c = 1; c <= NF; ++c) at[$c] = c } NR == 2 { print $at["centre_x"], $at["voxels"] }' "$1"; }
read -r there voxels <<<"$(first own/sub-009/sub-009_clusters.tsv)"
read -r here same <<<"$(first own/sub-009/sub-009_space-native_clusters.tsv)"
awk -v a="$there" -v b="$here" 'BEGIN { exit (b - a - 8)^2 > 1e-4 }' || fail "$there mm in the template, $here mm in the own space"
[ "$voxels" = "$same" ] || fail "$voxels voxels in the template, $same in the own space"
status=0
own --participants sub-008,sub-009 --out some 2>some.err || status=$?
[ "$status" = 1 ] || fail "expected exit status 1, found $status"
has 'sub-008 is skipped: --native prepared/native: 0 maps to the template in' some.err

status=0
"$SCINTIGEN" detect baseline prepared/template --method mahalanobis --features features --leave-out sub-008,sub-009 --threads 1 \
  --native prepared/native --out some_distance 2>some.err || status=$?
[ "$status" = 1 ] || fail "one person without a map: expected exit status 1, found $status: $(cat some.err)"
has 'sub-008 is skipped: --native prepared/native: 0 maps to the template in' some.err
[ -s some_distance/sub-009/sub-009_score.nii.gz ] || fail "the person after the one that is skipped is missing"

# Deformed: a place of the template goes through the displacements (8 mm to the right), then through the map (half as wide).
cp -r prepared deformed
cp -r detector deformed_detector
sed -i 's/"template_fit": "affine"/"template_fit": "deformable"/' deformed_detector/detector.json
sed -i 's/"space": "template"/&, "template_fit": "deformable"/' deformed/template/volumes.json
maps=deformed/transforms/sub-009
warp=$maps/sub-009_spect_from-template_warp.nii.gz
sed -i 's/^Parameters: .*/Parameters: 0.5 0 0 0 1 0 0 0 1 0 0 0/' $maps/sub-009_spect_from-template.tfm
# field TEXT: of the true warp's grid, -8 mm along the first axis of the file (left, where it is ITK's), described by TEXT
field() {
  gunzip -c "$(find scans -name '*_warp.nii.gz' | head -n 1)" |
    perl -e 'binmode STDIN; binmode STDOUT; local $/; $_ = <STDIN>; substr($_, 148, 80) = pack("a80", $ARGV[0]);
      my $n = (length($_) - 352) / 12; print substr($_, 0, 352), pack("f<*", (-8) x $n, (0) x (2 * $n));' "$1" | gzip >"$warp"
}
deformed() { "$SCINTIGEN" detect apply deformed/template --threads 1 --native deformed/native --participants sub-009 --clusters 5 "$@"; }
refuses "prepared with --template-fit deformable, the detector's controls with affine; prepare them alike" deformed --detector detector --out none
deformed_skips() {
  local status=0
  deformed --detector deformed_detector --out strange 2>strange.err || status=$?
  [ "$status" = 2 ] || fail "expected exit status 2, found $status: $(cat strange.err)"
  has "$1" strange.err
}
deformed_skips 'is not there, but the scored scans were prepared with --template-fit deformable'
field 'mm, x y z, RAS'
deformed_skips "vectors along RAS ('mm, x y z, RAS'); expected displacements along LPS"
field 'displacements, mm, LPS (ITK)'
works deformed --detector deformed_detector --out bent
read -r there voxels <<<"$(first bent/sub-009/sub-009_clusters.tsv)"
read -r here same <<<"$(first bent/sub-009/sub-009_space-native_clusters.tsv)"
awk -v a="$there" -v b="$here" 'BEGIN { exit (b - (a + 8) / 2)^2 > 1e-3 }' || fail "$there mm in the template, $here mm in the own space"
# The same way forward, to a mask: `detect score` takes a place of the map to the lesion's world.
cp "$warp" prepared/transforms/sub-009/sub-009_spect_from-template_warp.nii.gz
refuses_status=0
own --participants sub-009 --out strange 2>strange.err || refuses_status=$?
[ "$refuses_status" = 2 ] || fail "expected exit status 2, found $refuses_status"
has 'is there, but the scored scans were prepared with --template-fit affine' strange.err
rm prepared/transforms/sub-009/sub-009_spect_from-template_warp.nii.gz

baseline() { "$SCINTIGEN" detect baseline "$cohort" --modality spect --leave-out sub-009 --threads 1 "$@"; }
works baseline --method z --out found_z
[ -s found_z/sub-009/sub-009_z.nii.gz ] || fail "no z map"
works baseline --method mahalanobis --features features --out found_distance
[ -s found_distance/sub-009/sub-009_uptake-t.nii.gz ] || fail "no map of uptake beside the distance"
refuses '--uptake higher: belongs to --method mahalanobis; z and residual stand out by less' baseline --method z --uptake higher --out none
works baseline --method z --uptake lower --out lower_z
# Relative to the uptake around: other maps, which the page says; of a detector too.
works baseline --method z --surround-mm 60 --out around_z
cmp -s found_z/sub-009/sub-009_z.nii.gz around_z/sub-009/sub-009_z.nii.gz && fail "--surround-mm changed no z"
has 'relative to the uptake around each voxel (a Gaussian of 60 mm in the brain)' around_z/sub-009/report.html
refuses '--surround-mm: belongs to z and residual; --features hold their own' baseline --method mahalanobis --features features --surround-mm 60 --out none
works train --smooth-mm 12 --surround-mm 60 --patches 100 --epochs 1 --out around
works "$SCINTIGEN" detect fit "$cohort" --features around --leave-out sub-009 --threads 1 --out around_detector
has '"surround_mm": 60' around_detector/detector.json
works apply --detector around_detector --participants sub-009 --clusters 2 --out around_found
has 'relative to the uptake around each voxel (a Gaussian of 60 mm in the brain)' around_found/sub-009/report.html
cp -r "$cohort" t1s
sed -i 's/\tspect\t/\tT1w\t/' t1s/volumes.tsv
refuses '--surround-mm: T1w shows no uptake of a tracer; expected pet or spect' "$SCINTIGEN" train siamese t1s --modalities T1w --surround-mm 60 --out none
cmp found_z/sub-009/sub-009_z.nii.gz lower_z/sub-009/sub-009_z.nii.gz

# The same scans under the name of an MRI: no tracer, no uptake.
cp -r prepared mri
awk -F '\t' -v OFS='\t' 'NR == 1 { for (c = 1; c <= NF; ++c) at[$c] = c } NR > 1 { $at["modality"] = "FLAIR" } 1' "$cohort/volumes.tsv" >mri/native/volumes.tsv
works "$SCINTIGEN" train siamese mri/native --modalities FLAIR --leave-out sub-009 --threads 1 --patches 60 --epochs 1 --out mri_features
works "$SCINTIGEN" detect fit mri/native --features mri_features --leave-out sub-009 --threads 1 --out mri_detector
[ ! -e mri_detector/uptake.safetensors ] || fail "uptake of an MRI"
works "$SCINTIGEN" detect apply mri/native --detector mri_detector --participants sub-009 --threads 1 --out mri_found
[ ! -e mri_found/sub-009/sub-009_uptake-t.nii.gz ] || fail "a map of uptake of an MRI"
! grep -q uptake mri_found/sub-009/sub-009_clusters.tsv || fail "a column of uptake of an MRI"
refuses '--uptake lower: there is no PET or SPECT among FLAIR; leave it out' \
  "$SCINTIGEN" detect apply mri/native --detector mri_detector --participants sub-009 --uptake lower --threads 1 --out none
printf 'participant_id\tfile\n' >pseudo.tsv
for n in 1 2 3 4 5 6 7 8 9; do
  printf 'sub-00%d\t%s/sub-001/sub-001_space-native_spect.nii\n' $n $cohort >>pseudo.tsv
done
works baseline --method residual --pseudo-normal pseudo.tsv --out found_residual
refuses 'expected --pseudo-normal, a table of images to subtract' baseline --method residual --out none
refuses '--features: expected with --method mahalanobis' baseline --method mahalanobis --out none
refuses '--participants sub-001: is a control; name it in --leave-out too' baseline --method z --participants sub-001 --out none
sed '/sub-002/d' pseudo.tsv >short.tsv
refuses 'short.tsv: no row of sub-002; every control and patient needs one' baseline --method residual --pseudo-normal short.tsv --out none

# Scores: the lesion as a mask, all detectors beside each other.
cp "$scan" lesion.nii # 1 in the lesion, 0 elsewhere
size=$(stat -c %s lesion.nii)
dd if=/dev/zero of=lesion.nii bs=4096 seek=352 count=$((size - 352)) oflag=seek_bytes iflag=count_bytes conv=notrunc status=none
for plane in 0 1 2 3; do
  for row in 0 1 2 3 4; do
    for column in 0 1 2 3 4; do
      printf '\0\0\200\77' | dd of=lesion.nii bs=4 seek=$((88 + ((k + plane) * nj + j + row) * ni + i + column)) conv=notrunc status=none
    done
  done
done
printf 'participant_id\tfile\nsub-009\tlesion.nii\nsub-008\tn/a\n' >lesions.tsv
works "$SCINTIGEN" detect baseline "$cohort" --modality spect --leave-out sub-008,sub-009 --method z --out two_z
works "$SCINTIGEN" detect score strict two_z --name machines,z --lesions lesions.tsv --most 3 --draws 20 --out scored
has '100 % of 1 lesions hit with at most 3 clusters a person' works.err
has 'by chance' works.err
[ "$(wc -l <scored/machines/hits.tsv)" = 4 ] || fail "expected a row for 1, 2 and 3 clusters"
has 'in_controls' scored/machines/froc.tsv
has 'only_a' scored/pairs.tsv
has 'Detection of known lesions' scored/report.html
has 'class="curve' scored/report.html
works "$SCINTIGEN" detect score strict --retest strict --lesions lesions.tsv --out again
has '1.0000' again/strict/retest.tsv
# To the lesion through displacements and back by a map: as without.
cp "$warp" right.nii.gz
printf '%s\n' '#Insight Transform File V1.0' '#Transform 0' 'Transform: AffineTransform_double_3_3' \
  'Parameters: 1 0 0 0 1 0 0 0 1 8 0 0' 'FixedParameters: 0 0 0' >left.tfm
printf 'participant_id\tfile\ttransforms\nsub-009\tlesion.nii\tright.nii.gz,left.tfm\nsub-008\tn/a\tn/a\n' >around.tsv
works "$SCINTIGEN" detect score strict two_z --name machines,z --lesions around.tsv --rule ten-percent --most 3 --draws 0 --out around
works "$SCINTIGEN" detect score strict two_z --name machines,z --lesions lesions.tsv --rule ten-percent --most 3 --draws 0 --out straight
cmp around/machines/hits.tsv straight/machines/hits.tsv
sed 's/right.nii.gz,left.tfm/right.nii.gz,right.nii.gz,right.nii.gz,right.nii.gz/' around.tsv >away.tsv # 32 mm: the mask of 20 mm lies elsewhere
works "$SCINTIGEN" detect score strict --lesions away.tsv --rule ten-percent --most 1 --draws 0 --out away
has '0 % of 1 lesions hit' works.err
printf 'participant_id\tfile\nsub-008\tn/a\n' >healthy.tsv
refuses 'strict: nobody with a lesion to find' "$SCINTIGEN" detect score strict --lesions healthy.tsv --out none
printf 'participant_id\tfile\nsub-009\tlesion.nii\nsub-009\tlesion.nii\n' >twice.tsv
refuses 'twice.tsv: row 3: sub-009 stands there twice' "$SCINTIGEN" detect score strict --lesions twice.tsv --out none
printf 'participant_id\tfile\nsub-007\tlesion.nii\n' >absent.tsv
refuses 'strict: no map of sub-007; run `detect apply` for everybody in --lesions' "$SCINTIGEN" detect score strict --lesions absent.tsv --out none
refuses '--thresholds -3: expected each below the one before' "$SCINTIGEN" detect score strict --lesions lesions.tsv --thresholds=-4,-3 --out none
refuses '--name: 1 for 2 folders; give one for each' "$SCINTIGEN" detect score strict two_z --name a --lesions lesions.tsv --out none

refuses 'no volumes.json; expected a folder that' "$SCINTIGEN" detect fit scans --features features --out none
refuses '--folds 9: expected 0, or 3 to 8' fit --folds 9 --out many_folds
refuses '--leave-out sub-010: not in' "$SCINTIGEN" detect fit "$cohort" --features features --leave-out sub-010 --out none
mkdir damaged && printf '[]' >damaged/detector.json
refuses 'expected a detector of version' apply --detector damaged --out none
works fit --out plain
works apply --detector plain --participants sub-009 --out unbounded
grep -q '"p_value": 1' unbounded/run.json || fail "a bound of p without p-values"
refuses 'this detector has no p-values; fit it with --folds' apply --detector plain --p-value 0.1 --participants sub-009 --out none
refuses 'expected prepare' apply --detector detector --native "$cohort" --participants sub-009 --out none
