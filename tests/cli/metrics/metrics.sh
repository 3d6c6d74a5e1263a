# SPDX-License-Identifier: Apache-2.0
# `metrics`: values and parameters in text and JSON, the same for any number of threads, every refusal. Numbers against
# scikit-image: tests/metrics/.
# shellcheck shell=bash
zeros() { head -c "$1" /dev/zero; }
# shellcheck disable=SC2059  # the escapes are the format
short() { printf "\\x$(printf %02x $(($1 & 255)))\\x$(printf %02x $(($1 >> 8)))"; }

# nifti WIDTH HEIGHT DEPTH [NIFTI_TYPE BITS [X]]: a NIfTI-1 file of the voxels on stdin; X: four bytes of a float, the
# place of the first voxel in mm.
nifti() {
  local one='\0\0\x80\x3f'
  printf '\x5c\x01\0\0' && zeros 36
  for side in 3 "$1" "$2" "$3" 1 1 1 1; do short "$side"; done
  zeros 14 && short "${4:-2}" && short "${5:-8}" && zeros 2
  # shellcheck disable=SC2059
  printf "$one$one$one$one$one$one$one$one" && printf '\0\0\xb0\x43' && zeros 142 && short 1 && zeros 24
  # shellcheck disable=SC2059
  printf "$one" && zeros 8 && printf "${6:-\\0\\0\\0\\0}" && zeros 4 && printf "$one" && zeros 16 && printf "$one" && zeros 4
  zeros 16 && printf 'n+1\0' && zeros 4 && cat
}
# voxels STEP: 33 x 32 x 13 bytes of 1 to 200, the first slice 0
voxels() {
  zeros 1056
  LC_ALL=C awk -v step="$1" 'BEGIN { for (n = 1056; n < 13728; ++n) printf "%c", 1 + (n * step + int(n / 33) * 5) % 200 }'
}
voxels 7 | nifti 33 32 13 >a.nii
voxels 9 | nifti 33 32 13 | gzip >b.nii.gz
head -c 13728 /dev/zero | tr '\0' '\1' | nifti 33 32 13 >all.nii
metrics() { "$SCINTIGEN" metrics "$@"; }

works metrics a.nii b.nii.gz --range 255
has 'b.nii.gz against a.nii: 33 x 32 x 13 voxels, data range 255 (0 to 255)' works.out
has 'by slice: 12 of 13 slices' works.out
has 'window uniform, taps 7, covariance sample N/(N-1), k1 0.01, k2 0.03, data_range 255' works.out
has 'ms_ssim: multi-scale SSIM: the image is 13 x 32 x 33 (slices x rows x columns); expected at least 176 x 176' works.out
has 'normalisation euclidean: RMSE / root mean square of A' works.out
[ ! -s works.err ] || fail "unexpected words: $(cat works.err)"

works metrics a.nii b.nii.gz --range 255 --mask all.nii --json --threads 1
cp works.out one.json
works metrics a.nii b.nii.gz --range 255 --mask all.nii --json --threads 3
cmp one.json works.out || fail "1 and 3 threads differ"
for key in rmse mae nrmse psnr ssim_gaussian ssim_gaussian_3d ssim_uniform ssim_uniform_3d; do
  [ "$(grep -cE "^ +\"$key\": [0-9.e-]+,\$" one.json)" = 2 ] || fail "expected $key twice, whole and in the mask"
  [ "$(grep -E "^ +\"$key\": [0-9.e-]+,\$" one.json | sed -E 's/ //g; s/(\.[0-9]{9})[0-9]*/\1/' | uniq | wc -l)" = 1 ] ||
    fail "$key in a full mask is not that of the whole image"
done
has '"ms_ssim": null' one.json
has '"data_range": 255.0' one.json
has '"voxels": 13728' one.json

works metrics a.nii a.nii --range 255 --json
has '"psnr": null' works.out
has '"psnr": "inf: the images are identical"' works.out
has '"ssim_gaussian": 1.0' works.out
works metrics a.nii b.nii.gz --range 100 --json
has 'warning: a.nii: ' works.err
has 'voxels lie outside the range 0 to 100 (values from 0 to 200); is --range right?' works.err
has 'b.nii.gz: ' works.out
works metrics a.nii b.nii.gz --range 300 --range-low -50
[ ! -s works.err ] || fail "unexpected words: $(cat works.err)"

refuses 'A is not given' metrics
refuses 'B is not given' metrics a.nii
refuses '--range: expected a number > 0, found none or 0; PSNR and SSIM depend on the width' metrics a.nii b.nii.gz
refuses '(a.nii holds 0 to 200, b.nii.gz holds 0 to 200)' metrics a.nii b.nii.gz
refuses '--range: expected a number > 0, found -1' metrics a.nii b.nii.gz --range -1
refuses 'missing.nii: no such file' metrics a.nii missing.nii --range 255
voxels 7 | nifti 32 33 13 >turned.nii
refuses 'a.nii has 33 x 32 x 13 voxels and turned.nii has 32 x 33 x 13' metrics a.nii turned.nii --range 255
voxels 7 | nifti 33 32 13 2 8 '\x0a\xd7\x23\x3c' >moved.nii
refuses 'a.nii and moved.nii lie elsewhere: a corner voxel is 0.01 mm apart' metrics a.nii moved.nii --range 255
refuses 'a.nii and moved.nii lie elsewhere' metrics a.nii b.nii.gz --range 255 --mask moved.nii
zeros 13728 | nifti 33 32 13 >nothing.nii
refuses 'nothing.nii: mask is empty' metrics a.nii b.nii.gz --range 255 --mask nothing.nii
zeros 54912 | tr '\0' '\377' | nifti 33 32 13 16 32 >nan.nii
refuses 'nan.nii: 13728 voxels are not finite' metrics a.nii nan.nii --range 255
refuses 'alex' metrics a.nii b.nii.gz --range 255 --lpips-network squeeze

# LPIPS with weights of 0: the distance is 0, and every file and tensor is looked at
refuses 'missing.safetensors: no such file' metrics a.nii b.nii.gz --range 255 --lpips missing.safetensors
refuses 'not a safetensors file' metrics a.nii b.nii.gz --range 255 --lpips a.nii
header='' place=0
tensor() { # NAME SHAPE NUMBERS
  header="$header,\"$1\":{\"dtype\":\"F32\",\"shape\":[$2],\"data_offsets\":[$place,$((place + 4 * $3))]}"
  place=$((place + 4 * $3))
}
layer=0
for row in 0,64,3,11 3,192,64,5 6,384,192,3 8,256,384,3 10,256,256,3; do
  IFS=, read -r number out in side <<<"$row"
  tensor "features.$number.weight" "$out,$in,$side,$side" $((out * in * side * side))
  tensor "features.$number.bias" "$out" "$out"
  tensor "lin$layer.model.1.weight" "1,$out,1,1" "$out"
  layer=$((layer + 1))
done
header="{${header#,}}"
while [ $((${#header} % 8)) != 0 ]; do header="$header "; done
{ short ${#header} && zeros 6 && printf '%s' "$header" && zeros "$place"; } >weights.safetensors
works metrics a.nii b.nii.gz --range 255 --lpips weights.safetensors --json
has '"lpips": 0.0' works.out
has '"network": "alex"' works.out
refuses "tensor 'features.0.weight' is [64,3,11,11] of float; expected [64,3,3,3] of floating point" \
  metrics a.nii b.nii.gz --range 255 --lpips weights.safetensors --lpips-network vgg
