source("options.R")
o <- read_options(list(lambda = "1", out = "fit.rds"))
x <- scale(as.matrix(mtcars[, -1]))
y <- mtcars$mpg
lambda <- as.numeric(o$lambda)
w <- solve(crossprod(x) + lambda * diag(ncol(x)), crossprod(x, y - mean(y)))
saveRDS(list(lambda = lambda, w = w, mse = mean((y - mean(y) - x %*% w)^2)), o$out)
cat(o$out, "\n")
