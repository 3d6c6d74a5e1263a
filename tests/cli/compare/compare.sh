# SPDX-License-Identifier: Apache-2.0
# compare: tables of scores beside one another, by factor and by method; what it refuses.
compare() { "$SCINTIGEN" compare "$@"; }
table() { # file, added to the scores
  awk -v add="$2" 'BEGIN { print "method,participant_id,slice,rmse,ssim,psnr"
    for (p = 1; p <= 4; ++p) for (k = 0; k < 6; ++k) {
      s = 0.5 + 0.02 * p + 0.01 * ((k * p) % 3) + add * (1 + 0.1 * p)
      print "pix2pix,sub-" p "," k "," 1 - s "," s "," 20 + 10 * s
      print "level_mean,sub-" p "," k "," 1.05 - s "," s - 0.05 - 0.001 * k "," 19 + 10 * s } }' >"$1"
}
mkdir mri pet
table mri/scores.csv 0
table pet/scores.csv 0.05

works "$SCINTIGEN" compare mri/scores.csv pet/scores.csv --out compared --report page.html --title 'PET <against> MRI'
has 'pet - mri: +0.0625' works.err
has 'mri' compared/methods.csv
has 'sub-4,ssim' compared/by_patient.csv
has '"status": "finished"' compared/run.json
has 'PET &lt;against&gt; MRI' page.html
has 'pet better' page.html

# a lone table: all its methods
works "$SCINTIGEN" compare mri/scores.csv --out methods --measure ssim
has 'level_mean' methods/methods.csv
has 'level_mean - pix2pix: -0.0525' works.err

# two factors, averaged over one another
works "$SCINTIGEN" compare mri/scores.csv mri/scores.csv pet/scores.csv pet/scores.csv --out grid --factor input,method \
  --method pix2pix,level_mean,pix2pix,level_mean --name MRI/network,MRI/mean,PET/network,PET/mean
has 'input,MRI,PET,mean over all,2,ssim,4,' grid/differences.csv
has 'method,network,mean,PET,1,psnr,4,' grid/differences.csv

refuses 'nothing.csv' compare nothing.csv mri/scores.csv --out out
refuses '--method cyclegan: not in mri/scores.csv; there are: pix2pix, level_mean' compare mri/scores.csv pet/scores.csv --method cyclegan,pix2pix --out out
refuses '--name: 1 for 2 tables' compare mri/scores.csv pet/scores.csv --name MRI --out out
refuses '--name MRI: 1 parts; expected one for each of input, space' compare mri/scores.csv pet/scores.csv --name MRI,PET/native --factor input,space --out out
refuses 'another table is named mri too' compare mri/scores.csv mri/scores.csv --out out
grep -v 'sub-4' pet/scores.csv >few.csv
refuses 'no scores of sub-4' compare mri/scores.csv few.csv --name a,b --out out
