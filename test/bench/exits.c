/* A program that exits at once: what a command costs at the very least. */
int main(void)
{
	return 0;
}
