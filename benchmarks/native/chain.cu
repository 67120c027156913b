// Work for a GPU, and the least loop that can time it: a chain of matrix products, and a C++ loop that copies in,
// enqueues, copies out and waits, each between two CUDA events, as trtexec does. benchmarks/gpu.py runs the same chain
// through the agent's session, in turns with this one, in the same process.
//
// Every function returns 0, or CUDA's error code.

#include <cuda_runtime.h>

#include <chrono>
#include <vector>

namespace {

constexpr int kTile = 32;

// y = x * w, square matrices whose size is a multiple of the tile.
__global__ void multiply(const float* x, const float* w, float* y, int size) {
  __shared__ float left[kTile][kTile];
  __shared__ float right[kTile][kTile];
  const int row = blockIdx.y * kTile + threadIdx.y;
  const int column = blockIdx.x * kTile + threadIdx.x;
  float sum = 0.0f;
  for (int begin = 0; begin < size; begin += kTile) {
    left[threadIdx.y][threadIdx.x] = x[row * size + begin + threadIdx.x];
    right[threadIdx.y][threadIdx.x] = w[(begin + threadIdx.y) * size + column];
    __syncthreads();
    for (int k = 0; k < kTile; ++k) sum += left[threadIdx.y][k] * right[k][threadIdx.x];
    __syncthreads();
  }
  y[row * size + column] = sum;
}

struct Chain {
  int size;
  int depth;
  float* weights;       // one matrix for all products
  float* between[2];    // what lies between two products
  size_t bytes() const { return sizeof(float) * size * size; }
};

double milliseconds(std::chrono::steady_clock::duration elapsed) {
  return std::chrono::duration<double, std::milli>(elapsed).count();
}

}  // namespace

#define MUST(call)                                        \
  do {                                                    \
    const cudaError_t status = (call);                    \
    if (status != cudaSuccess) return int(status);        \
  } while (0)

extern "C" {

int chain_open(int size, int depth, const float* weights, void** made) {
  Chain* chain = new Chain{size, depth, nullptr, {nullptr, nullptr}};
  *made = chain;
  MUST(cudaMalloc(&chain->weights, chain->bytes()));
  MUST(cudaMalloc(&chain->between[0], chain->bytes()));
  MUST(cudaMalloc(&chain->between[1], chain->bytes()));
  MUST(cudaMemcpy(chain->weights, weights, chain->bytes(), cudaMemcpyHostToDevice));
  return 0;
}

int chain_enqueue(void* opened, const float* input, float* output, cudaStream_t stream) {
  const Chain* chain = static_cast<const Chain*>(opened);
  const dim3 threads(kTile, kTile), blocks(chain->size / kTile, chain->size / kTile);
  const float* from = input;
  for (int k = 0; k < chain->depth; ++k) {
    float* to = k + 1 == chain->depth ? output : chain->between[k % 2];
    multiply<<<blocks, threads, 0, stream>>>(from, chain->weights, to, chain->size);
    from = to;
  }
  return int(cudaGetLastError());
}

// `latency_ms` takes h2d + compute + d2h by CUDA events, `wall_ms` the host's clock, `count` of each.
int chain_time(void* opened, const float* values, float* result, int count, int spin, double* latency_ms,
               double* wall_ms) {
  const size_t bytes = static_cast<const Chain*>(opened)->bytes();
  float *host_in, *host_out, *device_in, *device_out;
  MUST(cudaMallocHost(&host_in, bytes));
  MUST(cudaMallocHost(&host_out, bytes));
  MUST(cudaMalloc(&device_in, bytes));
  MUST(cudaMalloc(&device_out, bytes));
  MUST(cudaMemcpy(host_in, values, bytes, cudaMemcpyHostToHost));
  cudaStream_t stream;
  MUST(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  std::vector<cudaEvent_t> marks(4 * static_cast<size_t>(count));
  for (cudaEvent_t& mark : marks)
    MUST(cudaEventCreateWithFlags(&mark, spin ? cudaEventDefault : cudaEventBlockingSync));
  for (int i = 0; i < count; ++i) {
    cudaEvent_t* mark = &marks[4 * static_cast<size_t>(i)];
    const auto begin = std::chrono::steady_clock::now();
    MUST(cudaEventRecord(mark[0], stream));
    MUST(cudaMemcpyAsync(device_in, host_in, bytes, cudaMemcpyHostToDevice, stream));
    MUST(cudaEventRecord(mark[1], stream));
    if (const int status = chain_enqueue(opened, device_in, device_out, stream)) return status;
    MUST(cudaEventRecord(mark[2], stream));
    MUST(cudaMemcpyAsync(host_out, device_out, bytes, cudaMemcpyDeviceToHost, stream));
    MUST(cudaEventRecord(mark[3], stream));
    MUST(cudaEventSynchronize(mark[3]));
    wall_ms[i] = milliseconds(std::chrono::steady_clock::now() - begin);
  }
  for (int i = 0; i < count; ++i) {
    latency_ms[i] = 0.0;
    for (int stage = 0; stage < 3; ++stage) {
      float elapsed_ms = 0.0f;
      MUST(cudaEventElapsedTime(&elapsed_ms, marks[4 * static_cast<size_t>(i) + stage],
                                marks[4 * static_cast<size_t>(i) + stage + 1]));
      latency_ms[i] += elapsed_ms;
    }
  }
  MUST(cudaMemcpy(result, host_out, bytes, cudaMemcpyHostToHost));
  for (cudaEvent_t mark : marks) MUST(cudaEventDestroy(mark));
  MUST(cudaStreamDestroy(stream));
  MUST(cudaFree(device_in));
  MUST(cudaFree(device_out));
  MUST(cudaFreeHost(host_in));
  MUST(cudaFreeHost(host_out));
  return 0;
}

int chain_close(void* opened) {
  Chain* chain = static_cast<Chain*>(opened);
  MUST(cudaFree(chain->weights));
  MUST(cudaFree(chain->between[0]));
  MUST(cudaFree(chain->between[1]));
  delete chain;
  return 0;
}

}  // extern "C"
