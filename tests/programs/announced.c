// See announced.inc.
#include "announced.inc"
