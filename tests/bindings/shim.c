/* Stands in for libnvinfer, libnvinfer_plugin, libnvonnxparser and libnvparsers: it satisfies the loader, so that the
 * released Python bindings can be imported and looked at. Nothing can be built or run with it. */
#define ABSENT(name) \
    void *name(void) { return 0; }

ABSENT(createInferBuilder_INTERNAL)
ABSENT(createInferRefitter_INTERNAL)
ABSENT(createInferRuntime_INTERNAL)
ABSENT(getBuilderPluginRegistry)
ABSENT(getPluginRegistry)
ABSENT(initLibNvInferPlugins)
ABSENT(createNvOnnxParser_INTERNAL)
ABSENT(createNvOnnxParserRefitter_INTERNAL)
ABSENT(getNvOnnxParserVersion)

/* The Caffe and UFF parsers of 8.x, in their C++ spelling. */
ABSENT(_ZN11nvuffparser15createUffParserEv)
ABSENT(_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi)
ABSENT(_ZN14nvcaffeparser117createCaffeParserEv)
ABSENT(_ZN14nvcaffeparser123shutdownProtobufLibraryEv)
