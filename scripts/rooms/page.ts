import { type NodeAccess, ROOMS, type Room } from './table.ts';

const BEGIN = '<!-- made by `scripts/import-rules --write` from scripts/rooms/table.ts -->';
const END = '<!-- end of what is made -->';

/** The names of files as a sentence has them: `viewing key` of `crypto/viewing-key`. */
const inWords = (files: readonly string[]) =>
  files.map((file) => file.replace(/^.*\//, '').replaceAll('-', ' ')).join(', ');

function mayImport({ imports, but, free }: Room): string {
  if (free === true) return 'all';
  if (imports.length === 0) return 'nothing of ours';
  return imports.join(', ') + (but === undefined ? '' : ` (but ${inWords(but.files)})`);
}

const ACCESS: Readonly<Record<NodeAccess, string>> = {
  nothing: 'nothing',
  browser: 'nothing',
  primitives: 'node:crypto, node:zlib',
  reader: 'files to read',
  local: 'all but sockets',
  dialer: 'sockets that connect',
  listener: 'sockets that listen',
  everything: 'everything',
};

/** What of Node a room may import, and which of its files may more. */
function ofNode({ node, special = [], free }: Room): string {
  if (free === true) return ACCESS.everything;
  const more = special.filter((one) => one.node !== undefined);
  return [ACCESS[node], ...more.map((one) => `\`${one.files}\`: ${ACCESS[one.node ?? node]}`)].join('; ');
}

/** The architecture page's table of rooms, in Markdown. */
export function roomsTable(): string {
  const rows = ROOMS.map(
    (room) => `| \`${room.name}/\` | ${room.holds} | ${mayImport(room)} | ${ofNode(room)} |`,
  );
  return ['| folder | what is in it | may import | of Node |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}

/** The page with its table made anew. Throws where the page has no place for it. */
export function withRoomsTable(page: string): string {
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from < 0 || to < from)
    throw new Error(`the page has no lines "${BEGIN}" and "${END}" for the table of rooms`);
  return `${page.slice(0, from + BEGIN.length)}\n\n${roomsTable()}\n\n${page.slice(to)}`;
}
