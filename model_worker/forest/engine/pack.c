/* Stands in for the engine until it is there: what the build may lean on is that there is something to build. */
#include "forest.h"

int forest_abi(void) { return 0; }
