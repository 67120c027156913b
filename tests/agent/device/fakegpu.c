/* A simulated libcuda and libnvidia-ml in one: as much of their interfaces as the agent asks.

   What they answer comes from the environment, so that one build serves every test:
   FAKE_CUDA_INIT     code of cuInit                 FAKE_CUDA_COUNT   number of devices
   FAKE_INTEGRATED    1 on a Tegra                   FAKE_NVML_INIT    code of nvmlInit_v2
   FAKE_FORGETS       1: memory does not keep what is written to it
   FAKE_CUDA_DIES     1: cuInit crashes; 2: it never returns
   FAKE_MOST_MIB      memory that is given before it is refused
   FAKE_NO_CAPTURE    1: streams are not captured    FAKE_NVML_ORIN    1: NVML supports what it does on an Orin */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int told(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

int cuInit(unsigned flags) {
    if (told("FAKE_CUDA_DIES", 0) == 1) abort();
    while (told("FAKE_CUDA_DIES", 0) == 2) pause();
    return flags ? 1 : told("FAKE_CUDA_INIT", 0);
}
int cuDeviceGetCount(int *count) { return *count = told("FAKE_CUDA_COUNT", 1), 0; }
int cuDeviceGet(int *device, int ordinal) { return *device = 40 + ordinal, 0; }
int cuDriverGetVersion(int *version) { return *version = 12060, 0; }
int cuDeviceGetName(char *name, int length, int device) { return strncpy(name, "Simulated GPU", length), device != 40; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { return *bytes = 6000000000u, device != 40; }

int cuDeviceGetUuid(unsigned char *uuid, int device) {
    for (int i = 0; i < 16; i++) uuid[i] = 16 + i;
    return device != 40;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    switch (attribute) {
    case 16: *value = 14; break;
    case 18: *value = told("FAKE_INTEGRATED", 0); break;
    case 75: *value = 8; break;
    case 76: *value = 7; break;
    case 19: case 83: *value = 1; break;
    case 88: case 89: case 99: *value = 0; break;
    default: return 1;
    }
    return device != 40;
}

int cuGetErrorName(int code, const char **name) {
    *name = code == 100 ? "CUDA_ERROR_NO_DEVICE" : NULL;
    return *name ? 0 : 1;
}

int cuDevicePrimaryCtxRetain(void **context, int device) { return *context = (void *)7, device != 40; }
int cuDevicePrimaryCtxRelease_v2(int device) { return device != 40; }
int cuCtxPushCurrent_v2(void *context) { return context != (void *)7; }
int cuCtxPopCurrent_v2(void **context) { return *context = (void *)7, 0; }
int cuMemAlloc_v2(unsigned long long *pointer, size_t bytes) {
    static size_t given;
    if ((given += bytes) >> 20 > (size_t)told("FAKE_MOST_MIB", 1024)) return 2;
    return (*pointer = (unsigned long long)calloc(bytes, 1)) ? 0 : 2;
}
int cuMemFree_v2(unsigned long long pointer) { return free((void *)pointer), 0; }
int cuMemcpyDtoH_v2(void *to, unsigned long long from, size_t bytes) { return memcpy(to, (void *)from, bytes), 0; }

int cuMemsetD8_v2(unsigned long long pointer, unsigned char value, size_t bytes) {
    if (!told("FAKE_FORGETS", 0)) memset((void *)pointer, value, bytes);
    return 0;
}

int nvmlInit_v2(void) { return told("FAKE_NVML_INIT", 0); }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) { return strncpy(version, "560.35.03", length), 0; }
int nvmlDeviceGetName(void *handle, char *name, unsigned length) { return strncpy(name, "NVIDIA Simulated", length), handle != (void *)9; }

int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    *handle = (void *)9;
    return strcmp(uuid, "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f") ? 6 : 0;
}

int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *memory) {
    memory[0] = 6442450944u;
    return handle != (void *)9;
}

int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    *major = 8, *minor = 7;
    return handle != (void *)9;
}

/* What the questions of `agent doctor --settle` ask of CUDA: a stream of work that takes no time. */
int cuStreamCreate(void **stream, unsigned flags) { return *stream = (void *)11, flags != 1; }
int cuStreamSynchronize(void *stream) { return stream != (void *)11; }
int cuEventCreate(void **event, unsigned flags) { return *event = (void *)12, flags; }
int cuEventRecord(void *event, void *stream) { return event != (void *)12 || stream != (void *)11; }
int cuEventElapsedTime(float *ms, void *begin, void *end) { return *ms = 0.005f, begin != end; }
int cuModuleLoadData(void **module, const char *ptx) { return *module = (void *)13, !strstr(ptx, ".entry nothing"); }
int cuModuleGetFunction(void **function, void *module, const char *name) { return *function = (void *)14, strcmp(name, "nothing"); }
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **parameters, void **extra) {
    return function != (void *)14 || gx * gy * gz * bx * by * bz != 1 || shared || stream != (void *)11 || parameters || extra;
}
int cuStreamBeginCapture_v2(void *stream, int mode) { return told("FAKE_NO_CAPTURE", 0) ? 900 : stream != (void *)11 || mode != 1; }
int cuStreamEndCapture(void *stream, void **graph) { return *graph = (void *)15, stream != (void *)11; }
int cuGraphInstantiateWithFlags(void **ready, void *graph, unsigned long long flags) { return *ready = (void *)16, graph != (void *)15 || flags; }
int cuGraphLaunch(void *ready, void *stream) { return ready != (void *)16 || stream != (void *)11; }
int cuMemGetInfo_v2(size_t *free_bytes, size_t *total) { return *free_bytes = 4u << 30, *total = 6000000000u, 0; }
int cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags) { return (*pointer = calloc(bytes, 1)) ? flags : 2; }
int cuMemFreeHost(void *pointer) { return free(pointer), 0; }
int cuMemcpyHtoD_v2(unsigned long long to, const void *from, size_t bytes) { return memcpy((void *)to, from, bytes), 0; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) { return *handle = (void *)9, index; }
int nvmlDeviceGetPowerUsage(void *handle, void *out) { return told("FAKE_NVML_ORIN", 0) ? 3 : 0; }
int nvmlDeviceGetTotalEnergyConsumption(void *handle, void *out) { return told("FAKE_NVML_ORIN", 0) ? 3 : 0; }
int nvmlDeviceGetClockInfo(void *handle, unsigned kind, void *out) { return told("FAKE_NVML_ORIN", 0) ? 3 : kind != 1; }
int nvmlDeviceGetUtilizationRates(void *handle, void *out) { return told("FAKE_NVML_ORIN", 0) ? 3 : 0; }

int nvmlDeviceGetTemperature(void *handle, unsigned sensor, void *out) { return told("FAKE_NVML_ORIN", 0) ? 3 : sensor; }
