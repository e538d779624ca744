import type * as React from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { LabError } from '../src/request';
import jobWidget from '../src/widgets/job';
import { type IWidgetModel, Kernel } from '../src/widgets/kernel';
import { KernelLab } from '../src/widgets/lab';
import { english } from '../src/widgets/words';
import { LAB_EVENTS } from '../src/wire';
import { event, job, me, qpu } from './faults';

vi.mock('../src/widgets/mount', () => ({
  anywidget: (_name: string, _tab: string, make: object) => make
}));
vi.mock('@jupyterlab/apputils', () => import('../src/widgets/jupyterlab/apputils'));
// What draws results needs a browser.
vi.mock('../src/queue/results', () => ({ Results: () => null }));
vi.mock('../src/queue/growing', () => ({ Growing: () => null }));

/** A kernel that answers when it is told to. */
class FakeModel implements IWidgetModel {
  readonly asked: Record<string, unknown>[] = [];

  get(): unknown {
    return undefined;
  }

  set(): void {}

  save_changes(): void {}

  send(content: object): void {
    this.asked.push(content as Record<string, unknown>);
  }

  on(_: string, listener: (...args: never[]) => void): void {
    this._listener = listener as typeof this._listener;
  }

  off(): void {
    this._listener = () => {};
  }

  say(message: object, buffers: DataView[] = []): void {
    this._listener(message, buffers);
  }

  /** Answer the last question for `path`. */
  answer(path: string, answer: object): void {
    const question = this.asked.filter(one => one.path === path).pop();
    this.say({ n: question?.n, ...answer });
  }

  private _listener: (message: object, buffers: DataView[]) => void = () => {};
}

describe('Kernel', () => {
  let model: FakeModel;
  let kernel: Kernel;

  beforeEach(() => {
    vi.useFakeTimers();
    model = new FakeModel();
    kernel = new Kernel(model);
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('asks the lab through the kernel', async () => {
    const body = { qpu: 'q1' };
    const answer = kernel.request('bookings', { method: 'POST', body: JSON.stringify(body) });
    expect(model.asked[0]).toMatchObject({ method: 'POST', path: 'bookings', body, blob: false });
    model.say({ n: 'of another view', body: 'nothing' });
    model.answer('bookings', { body: { bookings: [] } });
    await expect(answer).resolves.toEqual({ bookings: [] });
  });

  it('gives what the lab has against it as the panel does', async () => {
    const answer = kernel.request('bookings');
    const error = { status: 409, code: 'taken', message: 'Taken.', data: { next_free: null } };
    model.answer('bookings', { error });
    const refusal = await answer.catch(reason => reason);
    expect(refusal).toBeInstanceOf(LabError);
    expect(refusal).toMatchObject({ message: 'Taken.', code: 'taken', response: { status: 409 } });
  });

  it('reads files', async () => {
    const file = kernel.file('jobs/j1/dataset');
    const question = model.asked[0];
    expect(question).toMatchObject({ blob: true });
    model.say({ n: question?.n }, [new DataView(new Uint8Array([1, 2]).buffer)]);
    expect((await file).size).toBe(2);
  });

  it('does not wait for ever for a kernel that is gone', async () => {
    const answer = kernel.request('me').catch((reason: Error) => reason.message);
    await vi.advanceTimersByTimeAsync(61_000);
    expect(await answer).toContain('kernel does not answer');
  });
});

describe('KernelLab', () => {
  let model: FakeModel;
  let lab: KernelLab;

  beforeEach(async () => {
    vi.useFakeTimers();
    model = new FakeModel();
    lab = new KernelLab(new Kernel(model), ['me', 'qpus']);
    await vi.advanceTimersByTimeAsync(50);
  });

  afterEach(() => {
    lab.dispose();
    vi.useRealTimers();
  });

  function paths(): unknown[] {
    return model.asked.map(one => one.path);
  }

  async function answered(): Promise<void> {
    model.answer('me', { body: me() });
    model.answer('qpus', { body: { qpus: [qpu()] } });
    await vi.advanceTimersByTimeAsync(1);
  }

  it('asks for what its widget needs, and again for what an event names', async () => {
    expect(paths()).toEqual(['me', 'qpus']);
    await answered();
    expect(lab.state).toMatchObject({ connection: 'connected', me: me(), qpus: [qpu()] });
    const told = event({ seq: 3, prev: 2, kind: 'qpu.changed', qpu: 'sim-a' });
    model.say({ event: { ...told, schema_id: LAB_EVENTS } });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(paths()).toEqual(['me', 'qpus', 'qpus']);
  });

  it('says that the lab is away, and asks anew when it is back', async () => {
    await answered();
    model.say({ away: 'No answer.' });
    expect(lab.state).toMatchObject({ connection: 'lost', problem: 'No answer.' });
    model.say({ away: '' });
    await answered();
    expect(lab.state).toMatchObject({ connection: 'connected', problem: null });
  });
});

describe('the widget of a job', () => {
  it("names all QPUs of a plan's job", async () => {
    const model = new FakeModel();
    const make = jobWidget as unknown as (place: object) => {
      element: React.ReactElement;
      dispose: () => void;
    };
    const { element, dispose } = make({ model, kernel: new Kernel(model) });
    await vi.waitFor(() => expect(model.asked).not.toEqual([]));
    const { path } = model.asked[0] as { path: string };
    model.answer(path, { body: job({ qpu: 'a', qpus: ['a', 'b'] }) });
    await vi.waitFor(() => expect(renderToStaticMarkup(element)).toContain('>a, b · '));
    dispose();
  });
});

describe('the words of a widget', () => {
  it('are filled in as JupyterLab does', () => {
    expect(english.__('%2 of %1', 3, 'two')).toBe('two of 3');
    expect(english._n('%1 job of %2', '%1 jobs of %2', 1, 'ann')).toBe('1 job of ann');
    expect(english._n('%1 job of %2', '%1 jobs of %2', 5, 'ann')).toBe('5 jobs of ann');
  });
});
