/* t_fused.c - the GPU's source, run as loops by the processor, against its layers */
#include "fused_contract.h"

static struct device *opened(void)
{
	return device_host();
}

int main(void)
{
	return test_main(contract);
}
