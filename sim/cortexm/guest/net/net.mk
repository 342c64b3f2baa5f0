# The network's part of the platform: our sources, library sources (below the fetched ones), flags.
CM_PLATFORM_SRC += $(addprefix $(CM_GUEST)/net/,http.c lan9118.c mqtt.c mqtt_cut.c mqtt_pipe.c \
                     stack.c stream.c tls.c tls_verdict.c) \
                   agent/error_words.c agent/errors.c \
                   $(addprefix sim/,address.c http_client.c http_head.c http_order.c http_pace.c http_reader.c http_url.c)
CM_PLATFORM_LIB += http-parser/http_parser.c \
                   $(addprefix lwip/src/core/,altcp.c altcp_alloc.c altcp_tcp.c def.c dns.c inet_chksum.c \
                     init.c ip.c mem.c memp.c netif.c pbuf.c stats.c tcp.c tcp_in.c tcp_out.c \
                     timeouts.c udp.c) \
                   $(addprefix lwip/src/core/ipv4/,dhcp.c etharp.c icmp.c ip4.c ip4_addr.c ip4_frag.c) \
                   lwip/src/netif/ethernet.c lwip/src/apps/mqtt/mqtt.c \
                   $(addprefix mbedtls/library/,aes.c base64.c cipher.c cipher_wrap.c ecdh.c gcm.c \
                     pem.c pk.c pk_wrap.c pkparse.c sha512.c ssl_ciphersuites.c ssl_cli.c ssl_msg.c \
                     ssl_tls.c x509.c x509_crt.c)
CM_NET_FLAGS    := -I$(CM_GUEST)/net -isystem $(CM_LIBS)/lwip/src/include

# What a handshake is made of: fast code, not small code.
CM_PLATFORM_FAST := $(addprefix mbedtls/library/,bignum.c ecp.c ecp_curves.c)
