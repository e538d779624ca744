import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDrawing } from '../drawings';
import { errorBarsOf, extent, linesOf, pathOf, tableOf } from '../queue/forms';
import { jobState } from '../rows';
import { digits } from '../units';
import type { JobOutput } from '../wire';
import { asDrawing, barsOf, pointsOf } from './pictures';

const COLOURS = ['#1f77b4', '#ff7f0e', '#2ca02c', '#9467bd'];
const [WIDE, TALL] = [480, 200];

/** The job as text and as HTML without scripts, for whoever opens the notebook elsewhere (qpi_jupyter/ui/bundle.py). */
export function plainOf(
  { drawings, job, total }: JobOutput,
  trans: TranslationBundle
): { 'text/plain': string; 'text/html': string } {
  const [state] = jobState(job.phase, trans);
  const name = job.name && ` '${job.name}'`;
  const where = job.qpu ? ` on ${job.qpu}` : '';
  const why = job.error ? ` (${job.error.message})` : '';
  const head = `Job ${job.id}${name}${where}: ${state}${why}`;
  const rest = total > drawings.length ? `The first ${drawings.length} of ${total} are shown.` : '';
  const found = drawings.map(asDrawing);
  const label = ({ label }: IDrawing) => (found.length > 1 ? label : '');
  const html = found.map(one => [
    label(one) && `<p><strong>${quoted(label(one))}</strong></p>`,
    htmlOf(one)
  ]);
  const text = found.flatMap(one => [label(one), textOf(one)]);
  const parts = [`<p>${quoted(head)}</p>`, ...html.flat(), rest && `<p>${rest}</p>`];
  return {
    'text/plain': [head, ...text, rest].filter(Boolean).join('\n'),
    'text/html': `<div>${parts.join('')}</div>`
  };
}

function textOf(drawing: IDrawing): string {
  const { columns, note, rows } = asTable(drawing) ?? { columns: [], note: '', rows: [] };
  return [columns.join('  '), ...rows.map(row => row.join('  ')), note].filter(Boolean).join('\n');
}

function htmlOf(drawing: IDrawing): string {
  if (drawing.draw === 'iq') {
    return iqHtml(drawing);
  }
  if (drawing.draw === 'lines') {
    return linesHtml(drawing);
  }
  const table = asTable(drawing);
  if (table === null) {
    return '';
  }
  const cells = (tag: string, row: readonly string[]) =>
    `<tr>${row.map(cell => `<${tag} style="text-align:left">${quoted(cell)}</${tag}>`).join('')}</tr>`;
  const bars = drawing.draw === 'counts' ? barsOf(drawing).map(({ share }) => share) : [];
  const most = Math.max(...bars, 0) || 1;
  const bar = (n: number) => {
    const width = ((100 * (bars[n] ?? 0)) / most).toFixed(1);
    return `<td style="width:16em"><div style="height:0.8em;width:${width}%;background:${COLOURS[0]}"></div></td>`;
  };
  const head = table.columns.length > 0 ? `<thead>${cells('th', table.columns)}</thead>` : '';
  const rows = table.rows.map((row, n) =>
    bars.length > 0 ? cells('td', row).replace('</tr>', `${bar(n)}</tr>`) : cells('td', row)
  );
  const note = table.note && `<p>${quoted(table.note)}</p>`;
  return table.rows.length > 0
    ? `<table>${head}<tbody>${rows.join('')}</tbody></table>${note}`
    : note;
}

/** What a drawing says in words: all of it, or what it is of where it is a picture. */
function asTable(drawing: IDrawing) {
  if (drawing.draw === 'counts') {
    const rows = barsOf(drawing).map(({ outcome, count, share, outcomes }) => [
      outcome ?? `${outcomes} other outcomes`,
      count.toLocaleString('en'),
      `${(100 * share).toFixed(1)} %`
    ]);
    return { columns: ['Outcome', 'Shots', 'Share'], rows, note: '' };
  }
  if (drawing.draw === 'error_bars') {
    const bars = errorBarsOf(drawing);
    const number = (value: number | null) => (value === null ? '?' : digits(value));
    return (
      bars && {
        columns: [bars.x_label, bars.y_label, 'Standard error'],
        rows: bars.points.map(({ label, value, error }) => [label, number(value), number(error)]),
        note: bars.note
      }
    );
  }
  if (drawing.draw === 'lines') {
    const lines = linesOf(drawing);
    const names = lines?.lines.map(line => line.label).join(', ');
    return (
      lines && { columns: [], rows: [], note: `${names} over ${lines.x_label}. ${lines.note}` }
    );
  }
  if (drawing.draw === 'note') {
    return { columns: [], rows: [], note: String(drawing.text ?? '') };
  }
  return drawing.draw === 'table' ? tableOf(drawing) : null;
}

function iqHtml(drawing: IDrawing): string {
  const plane = pointsOf(drawing);
  if (plane === null) {
    return '';
  }
  const { centre, points, reach } = plane;
  const [i, q] = centre;
  const x = (value: number) => ((TALL * (value - i + reach)) / (2 * reach)).toFixed(1);
  const y = (value: number) => ((TALL * (q + reach - value)) / (2 * reach)).toFixed(1);
  const dots = points.map(([a, b]) => `M${x(a)} ${y(b)}h0`).join('');
  const path = `<path d="${dots}" stroke="${COLOURS[0]}" stroke-width="2" stroke-linecap="round"/>`;
  return svg(TALL, `IQ plane, ${points.length} points`, path);
}

function linesHtml(drawing: IDrawing): string {
  const found = linesOf(drawing);
  if (found === null) {
    return '';
  }
  const [low, high] = extent(found.lines.flatMap(({ y }) => y));
  const [first, last] = [found.x[0] ?? 0, found.x.at(-1) ?? 1];
  const x = (value: number) => (WIDE * (value - first)) / (last - first || 1);
  const y = (value: number) => 10 + ((TALL - 20) * (high - value)) / (high - low || 1);
  const paths = found.lines.map(
    (line, n) =>
      `<path fill="none" stroke="${COLOURS[n % COLOURS.length]}" d="${pathOf(found.x, line.y, x, y)}"/>`
  );
  const said = asTable(drawing)?.note ?? '';
  return `${svg(WIDE, said, paths.join(''))}<p>${quoted(said)}</p>`;
}

function svg(width: number, said: string, drawn: string): string {
  const title = `<title>${quoted(said)}</title>`;
  return `<svg viewBox="0 0 ${width} ${TALL}" width="${width}" role="img">${title}${drawn}</svg>`;
}

function quoted(text: string): string {
  return text.replace(/[&<>"']/g, mark => `&#${mark.charCodeAt(0)};`);
}
