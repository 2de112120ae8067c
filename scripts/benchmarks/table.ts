import { type Budget, type Measurement, ratioOf, verdictOf } from './measurement.ts';

const HEAD = ['measured', 'value', 'peer in the same run', 'ratio', 'budget', 'verdict'];

/** The measurements as lines of text with aligned columns. */
export function table(measurements: readonly Measurement[]): string {
  const rows = [HEAD, ...measurements.map(row)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const [head = '', ...body] = rows.map(line);
  return [head, '-'.repeat(head.length), ...body].join('\n');
}

function row(measurement: Measurement): string[] {
  const { what, value, unit, peer, budget } = measurement;
  const ratio = ratioOf(measurement);
  return [
    what,
    quantity(value, unit),
    peer === undefined ? '' : `${quantity(peer.value, unit)}  ${peer.what}`,
    ratio === undefined ? '' : ratio.toFixed(ratio < 0.01 ? 4 : 2),
    budget === undefined ? '' : budgetText(budget, unit),
    verdictOf(measurement) ?? '',
  ];
}

function budgetText({ bound, limit, of }: Budget, unit: string): string {
  return `${bound} ${of === 'value' ? quantity(limit, unit) : limit}`;
}

/** Three figures are all that such a measurement has. */
function quantity(value: number, unit: string): string {
  const decimals = Math.min(3, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1))));
  return `${value.toFixed(decimals)} ${unit}`;
}
