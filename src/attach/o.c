/ dev / stdin : line 1 :./ confined : No such file or directory
