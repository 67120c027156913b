"""TLS 1.3 as the lowest version that a server of this process speaks. Import it before grpc is.

gRPC cannot be told a lowest version, and reads its list of ciphers when it is imported. The list is of TLS 1.2 only;
a controller's certificate is ECDSA, so that with nothing but RSA on the list no TLS 1.2 is left to agree on.
"""

import os

CIPHERS_VARIABLE = "GRPC_SSL_CIPHER_SUITES"

os.environ[CIPHERS_VARIABLE] = "ECDHE-RSA-AES128-GCM-SHA256"
