# add.sh A B - print the sum of the numbers in two files
read -r a <"$1"
read -r b <"$2"
echo $((a + b))
