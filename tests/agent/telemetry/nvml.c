/* NVIDIA's management library as far as the agent asks it, with its structures as nvml.h lays them out: what a fake in
   Python cannot show is whether ctypes lays them out alike. */
#include <string.h>

typedef union { double d; int si; unsigned ui; unsigned long ul; unsigned long long ull; long long sll; } Value;
typedef struct { unsigned fieldId, scopeId; long long timestamp, latencyUsec; int valueType, nvmlReturn; Value value; } FieldValue;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned pid; unsigned long long timeStamp; unsigned smUtil, memUtil, encUtil, decUtil; } ProcessSample;

static void *const GPU = (void *)9;

int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **gpu) { *gpu = GPU; return strcmp(address, "0000:01:00.0") ? 6 : 0; }

int nvmlDeviceGetFieldValues(void *gpu, int count, FieldValue *values) {
    if (gpu != GPU || count != 1) return 2;
    values->nvmlReturn = values->fieldId == 186 && values->scopeId == 0 ? 0 : 3;
    values->timestamp = -1, values->latencyUsec = -1, values->valueType = 1;
    values->value.ull = 0xffffffff00000000ull, values->value.ui = 312500;
    return 0;
}
int nvmlDeviceGetPowerUsage(void *gpu, unsigned *milliwatts) { *milliwatts = 300000; return gpu != GPU; }
int nvmlDeviceGetTotalEnergyConsumption(void *gpu, unsigned long long *millijoules) { *millijoules = 5000000000000ull; return gpu != GPU; }
int nvmlDeviceGetTemperature(void *gpu, int sensor, unsigned *celsius) { *celsius = 47; return gpu != GPU || sensor; }
int nvmlDeviceGetClockInfo(void *gpu, int kind, unsigned *mhz) { *mhz = kind == 2 ? 3201 : 1980; return gpu != GPU || (kind != 0 && kind != 2); }
int nvmlDeviceGetMaxClockInfo(void *gpu, int kind, unsigned *mhz) { *mhz = 1980; return gpu != GPU || kind; }
int nvmlDeviceGetCurrentClocksEventReasons(void *gpu, unsigned long long *reasons) { *reasons = 0x100000024ull; return gpu != GPU; }
int nvmlDeviceGetUtilizationRates(void *gpu, Utilization *found) { found->gpu = 97, found->memory = 12; return gpu != GPU; }

int nvmlDeviceGetProcessUtilization(void *gpu, ProcessSample *samples, unsigned *count, unsigned long long since) {
    if (gpu != GPU || *count < 2) return 7;
    if (since >= 1700000000000002ull) return 6;
    samples[0] = (ProcessSample){4321, 1700000000000001ull, 37, 5, 6, 7};
    samples[1] = (ProcessSample){1234, 1700000000000002ull, 60, 8, 9, 10};
    *count = 2;
    return 0;
}
