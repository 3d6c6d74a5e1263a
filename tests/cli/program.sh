# SPDX-License-Identifier: Apache-2.0
# What holds for every command: help, version, docs, and one line for each slip of the finger.
works "$SCINTIGEN" --version
has "scintigen 0." works.out
works "$SCINTIGEN" --help
has "Commands:" works.out
has "not for diagnosis" works.out

works "$SCINTIGEN" docs
cp works.out commands.md
grep '^## scintigen ' commands.md | sed 's/^## scintigen //' >names
[ "$(wc -l <names)" -ge 1 ] || fail "no command is documented"
while read -r name; do
  # shellcheck disable=SC2086
  works "$SCINTIGEN" $name --help
  has "Usage: scintigen $name" works.out
  has "Example:" works.out
  # shellcheck disable=SC2086
  refuses "scintigen $name: unknown flag --no-such-flag" "$SCINTIGEN" $name --no-such-flag
done <names

refuses "unknown command 'docter'; did you mean 'doctor'?" "$SCINTIGEN" docter
refuses "unknown command 'paint'; there are: " "$SCINTIGEN" paint
refuses "unknown flag --thread; did you mean --threads?" "$SCINTIGEN" doctor --thread 2
refuses "unknown flag --thread=2; did you mean --threads?" "$SCINTIGEN" doctor --thread=2
refuses "one word too many" "$SCINTIGEN" doctor patient
refuses "--threads has no value; found --precision" "$SCINTIGEN" doctor --threads --precision float32
refuses "--threads has no value" "$SCINTIGEN" doctor --threads
refuses "threads has the wrong type; expected a whole number" "$SCINTIGEN" doctor --threads two
refuses "threads has the wrong type; expected a whole number" "$SCINTIGEN" doctor --threads 1.5
refuses "threads is out of range; expected 0 to 1024, found -1" "$SCINTIGEN" doctor --threads -1
refuses "--threads is given twice" "$SCINTIGEN" doctor --threads 1 --threads 2
refuses "did you mean 'bfloat16'?" "$SCINTIGEN" doctor --precision bfloat61
refuses "device: expected auto, cpu, cuda or cuda:N" "$SCINTIGEN" doctor --device gpu

refuses "scintigen: train needs another word; there are: train fastgan" "$SCINTIGEN" train
refuses "did you mean 'train fastgan'?" "$SCINTIGEN" trian fastgan
train() { "$SCINTIGEN" train fastgan "$@"; }
refuses "COHORT is not given" train --out run
refuses "--out is not given" train cohort
refuses "--out has no value" train cohort --out
refuses "--resume takes no value" train cohort --out run --resume=yes
refuses "--generator-widths: generator_widths has the wrong type" train cohort --out run --generator-widths 8,x
refuses "--learning-rate: learning_rate is out of range" train cohort --out run --learning-rate nan
refuses "recipe.toml" train cohort --out run --recipe recipe.toml
printf 'batch_size = 5000\n' >recipe.toml
refuses "batch_size is out of range" train cohort --out run --recipe recipe.toml
printf 'batch_size = 2\n' >recipe.toml
refuses "expected a prepared cohort" train cohort --out run --recipe recipe.toml --no-mix-neighbours

works "$SCINTIGEN" doctor --threads=1 --device cpu
has "cpu, 1 thread" works.out
has "GFLOP/s" works.out

status=0
"$SCINTIGEN" >out 2>err || status=$?
[ "$status" = 2 ] || fail "without a command: expected exit status 2, found $status"
has "Commands:" err
