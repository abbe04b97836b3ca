/* Stands in for the engine until it is there. */
#ifndef MODEL_WORKER_FOREST_H
#define MODEL_WORKER_FOREST_H

#define EXPORT __attribute__((visibility("default")))

EXPORT int forest_abi(void);

#endif
