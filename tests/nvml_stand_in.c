/* A stand-in for NVIDIA's management library: what pynvml calls for morphene_core.gpus, and no more.

   It reads its state anew at each call, from the text file that NVML_STAND_IN names, so that a test
   can change the state while a process waits. One thing a line:

     gpu UUID TOTAL_BYTES USED_BYTES UTILIZATION TEMPERATURE NAME
     process GPU_INDEX PID BYTES NAME
     fail FUNCTION CODE GPU_INDEX          (-1: whichever GPU)

   The signatures are those of nvml.h (CUDA 12). With -DWITHOUT_SENSORS it lacks two functions. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUCCESS = 0,
    INVALID_ARGUMENT = 2,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
};
enum { MOST = 16, TEXT = 96 };

typedef struct {
    char uuid[TEXT], name[TEXT];
    unsigned long long total, used;
    unsigned utilization, temperature;
} Gpu;

typedef struct {
    int gpu;
    unsigned pid;
    unsigned long long bytes;
    char name[TEXT];
} Process;

typedef struct {
    Gpu gpus[MOST];
    Process processes[MOST];
    int gpu_count, process_count, failure;
} State;

typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct { unsigned gpu, memory; } nvmlUtilization_t;
typedef struct {
    unsigned pid;
    unsigned long long usedGpuMemory;
    unsigned gpuInstanceId, computeInstanceId;
} nvmlProcessInfo_t;
typedef void *nvmlDevice_t; /* the index, plus 1 */

/* Read the state, and whether the calling function is to fail for a GPU. */
static State read_state(const char *function, int gpu) {
    State state = {0};
    const char *path = getenv("NVML_STAND_IN");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512], name[TEXT];
    int code, which;

    if (!file)
        state.failure = DRIVER_NOT_LOADED;
    while (file && fgets(line, sizeof line, file)) {
        Gpu *g = &state.gpus[state.gpu_count];
        Process *p = &state.processes[state.process_count];
        if (state.gpu_count < MOST &&
            sscanf(line, "gpu %95s %llu %llu %u %u %95[^\n]", g->uuid, &g->total, &g->used,
                   &g->utilization, &g->temperature, g->name) == 6)
            state.gpu_count++;
        else if (state.process_count < MOST &&
                 sscanf(line, "process %d %u %llu %95[^\n]", &p->gpu, &p->pid, &p->bytes,
                        p->name) == 4)
            state.process_count++;
        else if (sscanf(line, "fail %95s %d %d", name, &code, &which) == 3 &&
                 strcmp(name, function) == 0 && (which == -1 || which == gpu))
            state.failure = code;
    }
    if (file)
        fclose(file);
    if (!state.failure && gpu >= state.gpu_count)
        state.failure = INVALID_ARGUMENT;
    return state;
}

#define READ(gpu)                                  \
    State state = read_state(__func__, (int)(gpu)); \
    if (state.failure)                             \
        return state.failure;

#define READ_DEVICE                        \
    int index = (int)(intptr_t)device - 1; \
    READ(index)                            \
    const Gpu *gpu = &state.gpus[index];   \
    (void)gpu;

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    READ(-1)
    return SUCCESS;
}

int nvmlShutdown(void) { return SUCCESS; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    READ(-1)
    *count = state.gpu_count;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    READ(index)
    *device = (nvmlDevice_t)(intptr_t)(index + 1);
    return SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    READ(-1)
    for (int i = 0; i < state.gpu_count; i++)
        if (strcmp(state.gpus[i].uuid, uuid) == 0) {
            *device = (nvmlDevice_t)(intptr_t)(i + 1);
            return SUCCESS;
        }
    return NOT_FOUND;
}

int nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *number) {
    READ_DEVICE
    *number = index;
    return SUCCESS;
}

int nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned length) {
    READ_DEVICE
    snprintf(uuid, length, "%s", gpu->uuid);
    return SUCCESS;
}

int nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length) {
    READ_DEVICE
    snprintf(name, length, "%s", gpu->name);
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    READ_DEVICE
    *memory = (nvmlMemory_t){gpu->total, gpu->total - gpu->used, gpu->used};
    return SUCCESS;
}

#ifndef WITHOUT_SENSORS
int nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization) {
    READ_DEVICE
    *utilization = (nvmlUtilization_t){gpu->utilization, 0};
    return SUCCESS;
}

int nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned sensor, unsigned *temperature) {
    (void)sensor;
    READ_DEVICE
    *temperature = gpu->temperature;
    return SUCCESS;
}
#endif

int nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                            nvmlProcessInfo_t *processes) {
    READ_DEVICE
    unsigned found = 0, room = processes ? *count : 0;
    for (int i = 0; i < state.process_count; i++) {
        const Process *p = &state.processes[i];
        if (p->gpu != index)
            continue;
        if (found < room)
            processes[found] = (nvmlProcessInfo_t){p->pid, p->bytes, 0, 0};
        found++;
    }
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlSystemGetProcessName(unsigned pid, char *name, unsigned length) {
    READ(-1)
    for (int i = 0; i < state.process_count; i++)
        if (state.processes[i].pid == pid) {
            snprintf(name, length, "%s", state.processes[i].name);
            return SUCCESS;
        }
    return NOT_FOUND;
}
