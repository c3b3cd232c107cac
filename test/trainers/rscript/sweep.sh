#!/bin/sh
# Ridge regressions in R on the data that R ships.
set -e
mkdir -p fits
for lambda in 0.1 1 10; do
	Rscript fit.R --lambda=$lambda --out=fits/ridge-$lambda.rds
done
Rscript --vanilla table.R table.csv fits/ridge-0.1.rds fits/ridge-1.rds fits/ridge-10.rds
