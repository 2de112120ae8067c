/**
 * How cameras and servers speak TLS (docs/reference/protocol.md, "TLS"), as options of node:tls: TLS 1.3 alone, its
 * ciphers in the order of preference, and of groups the hybrid with ML-KEM first.
 */
export const TLS_PROFILE = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  ecdhCurve: 'X25519MLKEM768:X25519:P-256',
} as const;

/** The groups of a ClientHello that fits into one TCP segment. */
export const CLASSICAL_GROUPS = 'X25519:P-256';
