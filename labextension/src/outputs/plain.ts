import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDrawing } from '../drawings';
import {
  cellsOf,
  colourOf,
  dotsOf,
  errorBarsOf,
  extent,
  heatMapOf,
  linesOf,
  pathOf,
  tableOf
} from '../queue/forms';
import { jobState } from '../rows';
import { digits } from '../units';
import type { JobOutput } from '../wire';
import { figure, quoted } from './figure';
import { asDrawing, barsOf, pointsOf } from './pictures';

const COLOURS = ['#1f77b4', '#ff7f0e', '#2ca02c', '#9467bd'];
const [WIDE, TALL, SIDE] = [480, 220, 320];
/** Up to so many points of a line each have a dot. */
const MARKED = 101;

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
  if (drawing.draw === 'heat_map') {
    return heatMapHtml(drawing);
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
    const names = lines?.lines.map(line => line.label).filter(Boolean);
    const what = lines && [names?.join(', '), `${lines.y_label} over ${lines.x_label}`];
    const said = what?.filter(Boolean).join(': ');
    return lines && { columns: [], rows: [], note: [said, lines.note].filter(Boolean).join('. ') };
  }
  if (drawing.draw === 'heat_map') {
    const map = heatMapOf(drawing);
    const axes = map && `${map.z_label} over ${map.x_label} and ${map.y_label}`;
    return map && { columns: [], rows: [], note: [axes, map.note].filter(Boolean).join('. ') };
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
  const { apart, centre, points, reach } = plane;
  const [i, q] = centre;
  const unit = typeof drawing.units === 'string' ? ` (${drawing.units})` : '';
  const axes = {
    x: [i - reach, i + reach] as const,
    y: [q - reach, q + reach] as const,
    x_label: `I${unit}`,
    y_label: `Q${unit}`,
    wide: SIDE,
    tall: SIDE
  };
  const said = `IQ plane, ${points.length} points`;
  const clouds = apart
    ? [0, 1].map(bit => points.filter((_, n) => apart.bits[n] === bit))
    : [points];
  const picture = figure(axes, said, ({ x, y }) =>
    clouds
      .map((cloud, n) => {
        const dots = cloud.map(([a, b]) => `M${x(a).toFixed(1)} ${y(b).toFixed(1)}h0`).join('');
        return dot(dots, n, 3);
      })
      .join('')
  );
  return `${picture}<p>${apart ? clouds.map((_, bit) => key(bit, '●', `${bit}`)).join('') : ''}${quoted(said)}</p>`;
}

function linesHtml(drawing: IDrawing): string {
  const found = linesOf(drawing);
  if (found === null) {
    return '';
  }
  const [low, high] = extent(found.lines.flatMap(({ y }) => y));
  const margin = 0.05 * (high - low) || Math.abs(low) || 1;
  const { x_label, y_label } = found;
  const y = [low - margin, high + margin] as const;
  const axes = { x: extent(found.x), y, x_label, y_label, wide: WIDE, tall: TALL };
  const picture = figure(axes, asTable(drawing)?.note ?? '', at =>
    found.lines
      .map((line, n) => {
        const path = line.dots ? '' : pathOf(found.x, line.y, at.x, at.y, found.joined);
        const marked = line.dots || found.x.length <= MARKED;
        const dots = marked ? dot(dotsOf(found.x, line.y, at.x, at.y), n, 5) : '';
        return `${path && `<path fill="none" stroke="${colour(n)}" stroke-width="1.5" d="${path}"/>`}${dots}`;
      })
      .join('')
  );
  const keys = found.lines.map((line, n) => key(n, line.dots ? '●' : '━', line.label)).join('');
  return `${picture}<p>${keys}${quoted(found.note)}</p>`;
}

function heatMapHtml(drawing: IDrawing): string {
  const map = heatMapOf(drawing);
  if (map === null) {
    return '';
  }
  const [low, high] = extent(map.z.flat());
  const [across, up] = [cellsOf(map.x), cellsOf(map.y)];
  const { x_label, y_label } = map;
  const [x, y] = [extent(across.flat()), extent(up.flat())];
  const axes = { x, y, x_label, y_label, wide: WIDE, tall: TALL };
  const picture = figure(axes, asTable(drawing)?.note ?? '', at => {
    const cell = (value: number | null, i: number, j: number) => {
      const [column, line] = [across[i], up[j]];
      if (value === null || !column || !line) {
        return '';
      }
      const [left, right] = column.map(at.x);
      const [bottom, top] = line.map(at.y);
      const size = `width="${((right ?? 0) - (left ?? 0)).toFixed(1)}" height="${((bottom ?? 0) - (top ?? 0)).toFixed(1)}"`;
      const fill = colourOf((value - low) / (high - low || 1));
      return `<rect x="${left?.toFixed(1)}" y="${top?.toFixed(1)}" ${size} fill="${fill}"/>`;
    };
    const cells = map.z.map((row, j) => row.map((value, i) => cell(value, i, j)).join(''));
    return `<g shape-rendering="crispEdges">${cells.join('')}</g>`;
  });
  const scale = [0, 0.25, 0.5, 0.75, 1].map(colourOf).join(',');
  const bar = `<span style="display:inline-block;width:120px;height:10px;background:linear-gradient(90deg,${scale})"></span>`;
  const said = `${digits(high)} ${map.z_label}. ${map.note}`;
  return `${picture}<p>${digits(low)} ${bar} ${quoted(said)}</p>`;
}

function colour(n: number): string {
  return COLOURS[n % COLOURS.length] ?? '';
}

/** Points, of a path with a stretch of no length for each. */
function dot(path: string, n: number, wide: number): string {
  return `<path fill="none" stroke="${colour(n)}" stroke-width="${wide}" stroke-linecap="round" d="${path}"/>`;
}

/** What a colour means. */
function key(n: number, sign: string, label: string): string {
  return `<span style="color:${colour(n)}">${sign}</span> ${quoted(label)} &#160; `;
}
