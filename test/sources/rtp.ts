import type { AccessUnit, VideoCodec } from './nal-units.ts';

/** RTP over the RTSP connection: packets of a picture, of sound, and sender reports. */

/** What an access unit is cut into: payloads of RTP, the last with the marker. */
export interface Payload {
  readonly bytes: Uint8Array;
  readonly marker: boolean;
}

const PAYLOAD_BYTES = 1400;
/** Seconds from 1900 to 1970 (RFC 3550 section 4). */
const NTP_EPOCH_SECONDS = 2_208_988_800;
const VERSION = 0x80;
const SENDER_REPORT = 200;

/** An access unit as RTP payloads: single NAL units and FU-A (RFC 6184 section 5.8), or FU (RFC 7798 section 4.4.3). */
export function payloadsOf(unit: AccessUnit, codec: VideoCodec): Payload[] {
  return unit.flatMap((nal, index) => {
    const last = index === unit.length - 1;
    if (nal.length <= PAYLOAD_BYTES) return [{ bytes: nal, marker: last }];
    return fragments(nal, codec).map((bytes, at, all) => ({ bytes, marker: last && at === all.length - 1 }));
  });
}

function fragments(nal: Uint8Array, codec: VideoCodec): Uint8Array[] {
  const [head = 0, second = 0] = nal;
  const hevc = codec === 'hevc';
  const indicator = hevc ? [(head & 0x81) | (49 << 1), second] : [(head & 0xe0) | 28];
  const type = hevc ? (head >> 1) & 63 : head & 31;
  const body = nal.subarray(hevc ? 2 : 1);
  const size = PAYLOAD_BYTES - 3;
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += size) {
    const flags = (at === 0 ? 0x80 : 0) | (at + size >= body.length ? 0x40 : 0);
    parts.push(Buffer.concat([Buffer.from([...indicator, flags | type]), body.subarray(at, at + size)]));
  }
  return parts;
}

export interface RtpFields {
  readonly payloadType: number;
  readonly sequence: number;
  /** In ticks of the track; what is more than 32 bits is cut off. */
  readonly timestamp: number;
  readonly source: number;
  readonly marker: boolean;
}

/** An RTP packet (RFC 3550 section 5.1). */
export function rtpPacket(fields: RtpFields, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt8(VERSION, 0);
  header.writeUInt8(fields.payloadType | (fields.marker ? 0x80 : 0), 1);
  header.writeUInt16BE(fields.sequence & 0xffff, 2);
  header.writeUInt32BE(uint32(fields.timestamp), 4);
  header.writeUInt32BE(fields.source, 8);
  return Buffer.concat([header, payload]);
}

/** An RTCP sender report without report blocks (RFC 3550 section 6.4.1). @param wallMs milliseconds since 1970. */
export function senderReport(source: number, wallMs: number, timestamp: number, packets: number): Buffer {
  const report = Buffer.alloc(28);
  report.writeUInt8(VERSION, 0);
  report.writeUInt8(SENDER_REPORT, 1);
  report.writeUInt16BE(6, 2);
  report.writeUInt32BE(source, 4);
  const seconds = wallMs / 1000;
  report.writeUInt32BE(uint32(Math.floor(seconds) + NTP_EPOCH_SECONDS), 8);
  report.writeUInt32BE(uint32(Math.floor((seconds % 1) * 2 ** 32)), 12);
  report.writeUInt32BE(uint32(timestamp), 16);
  report.writeUInt32BE(packets, 20);
  return report;
}

/** A packet in the RTSP connection: `$`, channel, length (RFC 2326 section 10.12). */
export function interleaved(channel: number, packet: Uint8Array): Buffer {
  const header = Buffer.from([0x24, channel, packet.length >> 8, packet.length & 0xff]);
  return Buffer.concat([header, packet]);
}

const uint32 = (value: number) => ((Math.floor(value) % 2 ** 32) + 2 ** 32) % 2 ** 32;
