import type { TranslationBundle } from '@jupyterlab/translation';
import type * as React from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';

import type { IDrawing } from '../drawings';
import { lineLook } from '../queue/axes';
import { formOf } from '../queue/drawn';
import { barsOf, errorBarsOf, heatMapOf, linesOf, tableOf } from '../queue/forms';
import { planeOf } from '../queue/iq';
import { jobState, qpusOf } from '../rows';
import { digits } from '../units';
import type { JobOutput } from '../wire';
import { asDrawing } from './drawn';

/** What is a picture: it is saved as the page draws it. The other forms are tables and words. */
const PICTURES = new Set(['lines', 'heat_map', 'iq']);

/** The job as text and as HTML without scripts, for whoever opens the notebook elsewhere (qpi_jupyter/ui/bundle.py). */
export function plainOf(
  { drawings, job, total }: JobOutput,
  trans: TranslationBundle
): { 'text/plain': string; 'text/html': string } {
  const [state] = jobState(job.phase, trans, job.reason?.rule);
  const name = job.name && ` '${job.name}'`;
  const qpus = qpusOf(job);
  const where = qpus && ` on ${qpus}`;
  const why = job.error ? ` (${job.error.message})` : '';
  const head = `Job ${job.id}${name}${where}: ${state}${why}`;
  const rest = total > drawings.length ? `The first ${drawings.length} of ${total} are shown.` : '';
  const found = drawings.map(asDrawing);
  const label = ({ label }: IDrawing) => (found.length > 1 ? label : '');
  const html = found.map(one => [
    label(one) && `<p><strong>${quoted(label(one))}</strong></p>`,
    htmlOf(one, trans)
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

function htmlOf(drawing: IDrawing, trans: TranslationBundle): string {
  const picture = PICTURES.has(drawing.draw) ? formOf(drawing, trans) : null;
  if (picture) {
    return markupOf(picture);
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
    return `<td style="width:16em"><div style="height:0.8em;width:${width}%;background:${lineLook(0)?.stroke}"></div></td>`;
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
    return lines && word(`${names} over ${lines.x_label}. ${lines.note}`);
  }
  if (drawing.draw === 'heat_map') {
    const map = heatMapOf(drawing);
    return map && word(`${map.z_label} over ${map.x_label} and ${map.y_label}. ${map.note}`);
  }
  if (drawing.draw === 'iq') {
    const plane = planeOf(drawing);
    return (
      plane && word(`IQ plane, ${plane.averaged ? 'mean of all shots' : `${plane.total} shots`}.`)
    );
  }
  if (drawing.draw === 'note') {
    return word(String(drawing.text ?? ''));
  }
  return drawing.draw === 'table' ? tableOf(drawing) : null;
}

function word(note: string) {
  return { columns: [], rows: [], note: note.trim() };
}

/** What an element looks like, without anything that lives. */
function markupOf(element: React.ReactElement): string {
  const place = document.createElement('div');
  const root = createRoot(place);
  flushSync(() => root.render(element));
  const { innerHTML } = place;
  root.unmount();
  return innerHTML;
}

function quoted(text: string): string {
  return text.replace(/[&<>"']/g, mark => `&#${mark.charCodeAt(0)};`);
}
