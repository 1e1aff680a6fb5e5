/* For body/strip.h where products read weights as they are unpacked: bytes. The including file defines vb and VB. */
#ifndef KERN_BODY_STRIP_BYTES_H
#define KERN_BODY_STRIP_BYTES_H

typedef vb vw;
#define VW_BYTES(bits) VB
INLINE vw vw_load(const uint8_t *p, const int bits) { return vb_load(p); }
INLINE void vw_store(uint8_t *p, vw w, const int bits) { vb_store(p, w); }

#endif
