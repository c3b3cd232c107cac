args <- commandArgs(trailingOnly = TRUE)
fits <- lapply(args[-1], readRDS)
write.csv(data.frame(lambda = sapply(fits, `[[`, "lambda"),
                     mse = round(sapply(fits, `[[`, "mse"), 6)), args[1], row.names = FALSE)
