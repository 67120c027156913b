/* NVIDIA's management library as far as a discrete GPU's application clocks go. It asks of its caller what the real one
   and its driver ask: that /dev/nvidiactl and /dev/nvidia0 open, and CAP_SYS_ADMIN for whoever sets something. What is
   set lies in a file, as it would in a driver: it outlives the process. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATE "/var/lib/jetfleet-helper/clocks-of-the-gpu"
enum { DONE = 0, NO_PERMISSION = 4, NOT_LOADED = 9 };
typedef struct { char legacy[16]; unsigned numbers[5]; char address[32]; } PciInfo;

static int opens(const char *node) {
    int handle = open(node, O_RDWR);
    if (handle < 0) return 0;
    close(handle);
    return 1;
}

static int is_administrator(void) {
    char line[256];
    unsigned long long effective = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) sscanf(line, "CapEff: %llx", &effective);
    if (status) fclose(status);
    return (int)(effective >> 21 & 1);
}

int nvmlInit_v2(void) { return opens("/dev/nvidiactl") && opens("/dev/nvidia0") ? DONE : NOT_LOADED; }
int nvmlShutdown(void) { return DONE; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return DONE; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) { *handle = (void *)(long)(index + 1); return DONE; }

int nvmlDeviceGetPciInfo_v3(void *handle, PciInfo *info) {
    memset(info, 0, sizeof *info);
    strcpy(info->address, "00000000:01:00.0");
    return handle ? DONE : NOT_LOADED;
}

int nvmlDeviceGetMaxClockInfo(void *handle, int kind, unsigned *mhz) { *mhz = kind == 2 ? 3201 : 1980; return DONE; }

int nvmlDeviceGetApplicationsClock(void *handle, int kind, unsigned *mhz) {
    unsigned memory = 2619, graphics = 1200;
    FILE *state = fopen(STATE, "r");
    if (state && fscanf(state, "%u %u", &memory, &graphics) != 2) memory = 0;
    if (state) fclose(state);
    *mhz = kind == 2 ? memory : graphics;
    return DONE;
}

int nvmlDeviceSetApplicationsClocks(void *handle, unsigned memory, unsigned graphics) {
    if (!is_administrator()) return NO_PERMISSION;
    FILE *state = fopen(STATE, "w");
    if (!state) return NO_PERMISSION;
    fprintf(state, "%u %u\n", memory, graphics);
    fclose(state);
    return DONE;
}
