# The network's part of the platform: our sources, library sources (below the fetched ones), flags.
CM_PLATFORM_SRC += sim/cortexm/guest/net/net.c
CM_PLATFORM_LIB +=
CM_NET_FLAGS    :=
