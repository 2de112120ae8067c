/**
 * The frames of an MQTT 3.1.1 stream (section 2.2), told apart without reading what is in them: how long each packet is
 * and of which kind, so that a packet is refused by its first bytes and never gathered in memory. Pure.
 */

/** Control packet types (section 2.2.1). */
export const PACKET_TYPES = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
} as const;
export type PacketType = keyof typeof PACKET_TYPES;

export interface PacketRules {
  /** Longest packet of each kind, with its fixed header, bytes; a kind that is not here is refused. */
  readonly maxBytes: Readonly<Partial<Record<PacketType, number>>>;
  /** The stream begins with one of this kind, and has no second. */
  readonly first: PacketType;
}

export type PacketRefusal =
  /** Longer than its kind may be. */
  | 'PACKET_OVERSIZED'
  /** Of a kind that has no place here, or no MQTT at all. */
  | 'PACKET_REFUSED'
  /** More, or more often, than is allowed. */
  | 'RATE_EXCEEDED';

const TYPE_SHIFT = 4;
const LENGTH_MORE = 0x80;
const MAX_LENGTH_BYTES = 4;

/** Follows one direction of a connection. */
export class PacketMeter {
  readonly #maxBytes = new Map<number, number>();
  readonly #first: number;
  readonly #allow: (bytes: number) => boolean;
  #begun = false;
  /** Of the packet whose header is being read; undefined between packets. */
  #type: number | undefined;
  #length = 0;
  #lengthBytes = 0;
  /** Bytes of the present packet still to come. */
  #left = 0;

  /** @param allow asked for each packet, by its length, once that is known; false refuses it. */
  constructor({ maxBytes, first }: PacketRules, allow: (bytes: number) => boolean = () => true) {
    for (const type of Object.keys(maxBytes) as PacketType[]) {
      this.#maxBytes.set(PACKET_TYPES[type], maxBytes[type] ?? 0);
    }
    this.#first = PACKET_TYPES[first];
    this.#allow = allow;
  }

  /** Takes the next bytes of the stream. Undefined when they are in order; after a refusal the meter is done with. */
  feed(bytes: Uint8Array): PacketRefusal | undefined {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      const refusal = this.#header(bytes[at] ?? 0);
      if (refusal !== undefined) return refusal;
      at++;
    }
    return undefined;
  }

  #header(byte: number): PacketRefusal | undefined {
    if (this.#type === undefined) {
      this.#type = byte >> TYPE_SHIFT;
      this.#length = 0;
      this.#lengthBytes = 0;
      const isFirst = this.#type === this.#first;
      if (!this.#maxBytes.has(this.#type) || isFirst === this.#begun) return 'PACKET_REFUSED';
      this.#begun = true;
      return undefined;
    }
    this.#length += (byte & ~LENGTH_MORE) * 128 ** this.#lengthBytes++;
    const packetBytes = 1 + this.#lengthBytes + this.#length;
    if (packetBytes > (this.#maxBytes.get(this.#type) ?? 0)) return 'PACKET_OVERSIZED';
    if ((byte & LENGTH_MORE) !== 0) {
      return this.#lengthBytes === MAX_LENGTH_BYTES ? 'PACKET_REFUSED' : undefined;
    }
    this.#type = undefined;
    this.#left = this.#length;
    return this.#allow(packetBytes) ? undefined : 'RATE_EXCEEDED';
  }
}
