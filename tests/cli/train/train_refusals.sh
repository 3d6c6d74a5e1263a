# What `train fastgan` and `select` refuse, each in one line.
made_up_scans scans 6
works "$SCINTIGEN" import --table scans/slices.tsv --where session=rest --out cohort
small="--generator-widths 16,16,8,8,8 --discriminator-widths 4,8,8,8,8 --decoder-width 8 --steps 2"
train() { "$SCINTIGEN" train fastgan "$@"; }
refuses 'expected a prepared cohort' train nowhere --out run --condition level
refuses "no column 'levle'; did you mean 'level'" train cohort --out run --condition levle
refuses 'level' train cohort --out run --condition level --where level=nothing
refuses 'participant' train cohort --out run --condition level --held-out sub-99
refuses '--batch-size' train cohort --out run --condition level --batch-size 0
refuses 'batch' train cohort --out run --condition level --batch-size 4000
refuses 'device' train cohort --out run --condition level --device tpu
refuses 'flip' train cohort --out run --condition level --flip-where colour=red
printf 'learning_rat = 1e-4\n' >slip.toml
refuses 'learning_rate' train cohort --out run --condition level --recipe slip.toml
printf 'batch_size = "four"\n' >type.toml
refuses 'batch_size' train cohort --out run --condition level --recipe type.toml
[ ! -e run ] || fail "a refused run left a folder"
# shellcheck disable=SC2086
works train cohort --out run --condition level $small
refuses '--resume' train cohort --out run --condition level
# shellcheck disable=SC2086
refuses 'learning_rate' train cohort --out run --condition level $small --resume --learning-rate 0.1
cp run/run.json before.json
# shellcheck disable=SC2086
refuses 'holds a run already' train cohort --out run --condition level $small --seed 9
cmp -s run/run.json before.json || fail "a refused run changed run.json"
refuses 'data' train cohort --out run --condition level $small --resume --held-out sub-002,sub-004
refuses 'precision' train cohort --out run --condition level $small --resume --precision bfloat16
refuses 'participant_id' train cohort --out other --condition participant_id
# A condition that is a number, and sheets of it.
awk -F'\t' 'BEGIN { OFS = FS } { print $0, NR == 1 ? "dose" : 40 + NR }' scans/slices.tsv >scans/dosed.tsv
works "$SCINTIGEN" import --table scans/dosed.tsv --where session=rest --out dosed
works train dosed --out dosed_run --condition level,dose $small
[ -e dosed_run/samples/step-000000002.png ] || fail "no sheet"
refuses 'holds no checkpoint' "$SCINTIGEN" select cohort
works "$SCINTIGEN" select run --images 32
has '.safetensors' run/selected.txt
has 'energy_training' run/select/ranking.tsv
