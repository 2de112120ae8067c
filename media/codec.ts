import { type Box, FieldReader, onlyBox, readBoxes } from './boxes.ts';
import { MediaError } from './errors.ts';

/** Bytes of VisualSampleEntry and AudioSampleEntry fields before their boxes (ISO/IEC 14496-12, 12.1.3, 12.2.3). */
export const VISUAL_SAMPLE_ENTRY = 78;
const AUDIO_SAMPLE_ENTRY = 28;

/**
 * The codecs parameter of a sample entry, RFC 6381 section 3.3.
 * For H.264 and MPEG-4 audio with its profile, for anything else the bare sample entry type.
 */
export function sampleEntryCodec(bytes: Uint8Array, entry: Box): string {
  switch (entry.type) {
    case 'avc1':
    case 'avc3':
      return `${entry.type}.${avcProfile(bytes, configuration(bytes, entry, VISUAL_SAMPLE_ENTRY, 'avcC'))}`;
    case 'mp4a':
      return `mp4a.${audioObject(bytes, configuration(bytes, entry, AUDIO_SAMPLE_ENTRY, 'esds'))}`;
    default:
      return entry.type;
  }
}

function configuration(bytes: Uint8Array, entry: Box, fieldsSize: number, type: string): Box {
  const fields = new FieldReader(bytes, entry);
  fields.skip(fieldsSize);
  return onlyBox([...readBoxes(bytes, fields.position, entry.end)], type);
}

const hex = (value: number): string => value.toString(16).padStart(2, '0');

/** AVCDecoderConfigurationRecord, ISO/IEC 14496-15 section 5.3.3.1: profile, compatibility, level. */
function avcProfile(bytes: Uint8Array, avcC: Box): string {
  const fields = new FieldReader(bytes, avcC);
  fields.skip(1);
  return hex(fields.u8()) + hex(fields.u8()) + hex(fields.u8());
}

const ES_DESCRIPTOR = 3;
const DECODER_CONFIG_DESCRIPTOR = 4;
const DECODER_SPECIFIC_INFO = 5;
const MPEG4_AUDIO = 0x40;

/** Object type and, for MPEG-4 audio, audio object type: ISO/IEC 14496-1 section 7.2.6, 14496-3 section 1.6.2.1. */
function audioObject(bytes: Uint8Array, esds: Box): string {
  const fields = new FieldReader(bytes, esds);
  fields.versionAndFlags();
  enterDescriptor(fields, ES_DESCRIPTOR);
  fields.skip(2);
  const flags = fields.u8();
  if (flags & 0x80) fields.skip(2);
  if (flags & 0x40) fields.skip(fields.u8());
  if (flags & 0x20) fields.skip(2);
  enterDescriptor(fields, DECODER_CONFIG_DESCRIPTOR);
  const objectType = fields.u8();
  if (objectType !== MPEG4_AUDIO) return hex(objectType);
  fields.skip(12);
  enterDescriptor(fields, DECODER_SPECIFIC_INFO);
  const first = fields.u8();
  const audioObjectType = first >> 3 === 31 ? 32 + ((first & 7) << 3) + (fields.u8() >> 5) : first >> 3;
  return `${hex(objectType)}.${audioObjectType}`;
}

/** Tag and expandable size (ISO/IEC 14496-1 section 8.3.3), 7 bits a byte; the box bounds what follows. */
function enterDescriptor(fields: FieldReader, tag: number): void {
  if (fields.u8() !== tag) throw new MediaError('SAMPLE_ENTRY', 'unexpected descriptor in esds');
  while (fields.u8() & 0x80);
}
