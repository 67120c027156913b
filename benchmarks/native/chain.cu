// Work for a GPU, and the least loops that can time it: a chain of matrix products, and two C++ loops that copy in,
// enqueue, copy out and wait, each between two CUDA events. One has one inference in flight, on one stream; the other
// has trtexec's structure: two in flight, a stream each for copies in, work and copies out, and events between them.
// benchmarks/gpu.py runs the same chain through the agent's session, in turns with these, in the same process.
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

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration elapsed) {
  return std::chrono::duration<double, std::milli>(elapsed).count();
}

#define MUST(call)                                        \
  do {                                                    \
    const cudaError_t status = (call);                    \
    if (status != cudaSuccess) return int(status);        \
  } while (0)

int enqueue_chain(const Chain* chain, const float* input, float* output, cudaStream_t stream) {
  const dim3 threads(kTile, kTile), blocks(chain->size / kTile, chain->size / kTile);
  const float* from = input;
  for (int k = 0; k < chain->depth; ++k) {
    float* to = k + 1 == chain->depth ? output : chain->between[k % 2];
    multiply<<<blocks, threads, 0, stream>>>(from, chain->weights, to, chain->size);
    from = to;
  }
  return int(cudaGetLastError());
}

// With `two`, inference i is enqueued before inference i - 1 is awaited, and the three stages have a stream each.
int time_chain(void* opened, const float* values, float* result, int count, int spin, bool two, double* latency_ms,
               double* compute_ms, double* enqueue_ms, double* wall_ms) {
  const Chain* chain = static_cast<const Chain*>(opened);
  const size_t bytes = chain->bytes();
  float *host_in, *host_out, *device_in, *device_out;
  MUST(cudaMallocHost(&host_in, bytes));
  MUST(cudaMallocHost(&host_out, bytes));
  MUST(cudaMalloc(&device_in, bytes));
  MUST(cudaMalloc(&device_out, bytes));
  MUST(cudaMemcpy(host_in, values, bytes, cudaMemcpyHostToHost));
  cudaStream_t streams[3];
  for (cudaStream_t& stream : streams) MUST(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  const cudaStream_t in = streams[0], work = two ? streams[1] : in, out = two ? streams[2] : in;
  // Of each inference: begin and end of the copy in, of the work, of the copy out.
  std::vector<cudaEvent_t> marks(6 * static_cast<size_t>(count));
  std::vector<Clock::time_point> begins(static_cast<size_t>(count));
  for (cudaEvent_t& mark : marks)
    MUST(cudaEventCreateWithFlags(&mark, spin ? cudaEventDefault : cudaEventBlockingSync));
  const auto settle = [&](int i) {
    const cudaError_t status = cudaEventSynchronize(marks[6 * static_cast<size_t>(i) + 5]);
    wall_ms[i] = milliseconds(Clock::now() - begins[static_cast<size_t>(i)]);
    return status;
  };
  for (int i = 0; i < count; ++i) {
    cudaEvent_t* mark = &marks[6 * static_cast<size_t>(i)];
    begins[static_cast<size_t>(i)] = Clock::now();
    MUST(cudaEventRecord(mark[0], in));
    MUST(cudaMemcpyAsync(device_in, host_in, bytes, cudaMemcpyHostToDevice, in));
    MUST(cudaEventRecord(mark[1], in));
    if (two) {
      MUST(cudaStreamWaitEvent(work, mark[1], 0));
      MUST(cudaEventRecord(mark[2], work));
    }
    const auto before = Clock::now();
    if (const int status = enqueue_chain(chain, device_in, device_out, work)) return status;
    enqueue_ms[i] = milliseconds(Clock::now() - before);
    MUST(cudaEventRecord(mark[3], work));
    if (two) {
      MUST(cudaStreamWaitEvent(out, mark[3], 0));
      MUST(cudaEventRecord(mark[4], out));
    }
    MUST(cudaMemcpyAsync(host_out, device_out, bytes, cudaMemcpyDeviceToHost, out));
    MUST(cudaEventRecord(mark[5], out));
    if (!two) {
      MUST(settle(i));
    } else if (i > 0) {
      MUST(settle(i - 1));
    }
  }
  if (two) MUST(settle(count - 1));
  for (int i = 0; i < count; ++i) {
    const cudaEvent_t* mark = &marks[6 * static_cast<size_t>(i)];
    // On one stream a stage begins where the one before ends.
    const cudaEvent_t stages[3][2] = {
        {mark[0], mark[1]}, {two ? mark[2] : mark[1], mark[3]}, {two ? mark[4] : mark[3], mark[5]}};
    latency_ms[i] = 0.0;
    for (int stage = 0; stage < 3; ++stage) {
      float elapsed_ms = 0.0f;
      MUST(cudaEventElapsedTime(&elapsed_ms, stages[stage][0], stages[stage][1]));
      latency_ms[i] += elapsed_ms;
      if (stage == 1) compute_ms[i] = elapsed_ms;
    }
  }
  MUST(cudaMemcpy(result, host_out, bytes, cudaMemcpyHostToHost));
  for (cudaEvent_t mark : marks) MUST(cudaEventDestroy(mark));
  for (cudaStream_t stream : streams) MUST(cudaStreamDestroy(stream));
  MUST(cudaFree(device_in));
  MUST(cudaFree(device_out));
  MUST(cudaFreeHost(host_in));
  MUST(cudaFreeHost(host_out));
  return 0;
}

}  // namespace

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
  return enqueue_chain(static_cast<const Chain*>(opened), input, output, stream);
}

// `latency_ms` takes h2d + compute + d2h by CUDA events, `compute_ms` its middle part, `enqueue_ms` and `wall_ms` the
// host's clock; `count` of each.
int chain_time(void* opened, const float* values, float* result, int count, int spin, double* latency_ms,
               double* compute_ms, double* enqueue_ms, double* wall_ms) {
  return time_chain(opened, values, result, count, spin, false, latency_ms, compute_ms, enqueue_ms, wall_ms);
}

// The same with trtexec's structure.
int chain_time_two(void* opened, const float* values, float* result, int count, int spin, double* latency_ms,
                   double* compute_ms, double* enqueue_ms, double* wall_ms) {
  return time_chain(opened, values, result, count, spin, true, latency_ms, compute_ms, enqueue_ms, wall_ms);
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
