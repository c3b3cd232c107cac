read_options <- function(defaults) {
  for (a in commandArgs(trailingOnly = TRUE)) {
    name <- sub("^--([a-z]+)=.*", "\\1", a)
    defaults[[name]] <- sub("^--[a-z]+=", "", a)
  }
  defaults
}
