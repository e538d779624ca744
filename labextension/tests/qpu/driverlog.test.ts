import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DriverLogModel, mayReadLogs, plainText, stamp } from '../../src/qpu/driverlog';
import type { LabRequest } from '../../src/request';
import type { ILabManager, ILabState } from '../../src/tokens';
import type { DriverLog, DriverLogLine, LabEvent } from '../../src/wire';
import { FakeEvents, me } from '../faults';

const line = (seq: number, changes: Partial<DriverLogLine> = {}): DriverLogLine => ({
  seq,
  at: '2030-01-01T12:00:00Z',
  level: 'info',
  logger: 'qpi_agent.link',
  message: `line ${seq}`,
  dropped: 0,
  ...changes
});

/** A lab with the log of one driver; `answer` lets one answer out where `held` is set. */
class FakeLab {
  lines: readonly DriverLogLine[] = [];
  refusal: string | null = null;
  held = false;
  readonly asked: string[] = [];
  readonly events = new FakeEvents();
  readonly manager = {
    request: ((path: string) => this._ask(path)) as LabRequest,
    state: { connection: 'connected', me: null } as unknown as ILabState,
    follow: this.events.follow
  } as { -readonly [K in keyof ILabManager]: ILabManager[K] };

  says(driver = 'control-pc', qpu = 'a/b', kind: LabEvent['kind'] = 'driver.logged'): void {
    this.events.say({ kind, qpu, data: { driver } });
  }

  answer(): void {
    this._waiting.shift()?.();
  }

  private async _ask(path: string): Promise<DriverLog> {
    this.asked.push(path);
    const after = Number(new URLSearchParams(path.split('?')[1]).get('after'));
    const lines = this.lines.filter(({ seq }) => seq > after);
    if (this.held) {
      await new Promise<void>(resolve => this._waiting.push(resolve));
    }
    if (this.refusal !== null) {
      throw new Error(this.refusal);
    }
    return { lines };
  }

  private readonly _waiting: (() => void)[] = [];
}

const turn = async () => {
  for (let n = 0; n < 10; n++) {
    await Promise.resolve();
  }
};

describe('DriverLogModel', () => {
  let lab: FakeLab;
  let model: DriverLogModel;

  beforeEach(() => {
    lab = new FakeLab();
    model = new DriverLogModel(lab.manager, 'a/b', 'control-pc');
  });

  afterEach(() => model.dispose());

  const shown = () => model.state.lines.map(({ seq }) => seq);

  it('begins with what the lab has, and asks for what is new when its driver speaks', async () => {
    expect(model.state.loaded).toBe(false);
    await model.refresh();
    expect(model.state).toEqual({ lines: [], loaded: true, problem: null });
    lab.lines = [line(4), line(7)];
    lab.says();
    await turn();
    lab.lines = [...lab.lines, line(9)];
    lab.says();
    await turn();
    expect(shown()).toEqual([4, 7, 9]);
    expect(lab.asked).toEqual(
      [0, 0, 7].map(seq => `qpus/a%2Fb/drivers/control-pc/log?after=${seq}`)
    );
  });

  it('lets other drivers, other QPUs and other events be', async () => {
    lab.says('sim-a');
    lab.says('control-pc', 'c');
    lab.says('control-pc', 'a/b', 'qpu.changed');
    await turn();
    expect(lab.asked).toEqual([]);
  });

  it('asks once more, not ten times, for what came while an answer was under way', async () => {
    lab.held = true;
    lab.lines = [line(1)];
    void model.refresh();
    lab.lines = [line(1), line(2)];
    for (let n = 0; n < 10; n++) {
      lab.says();
    }
    lab.answer();
    await turn();
    lab.answer();
    await turn();
    expect(shown()).toEqual([1, 2]);
    expect(lab.asked).toHaveLength(2);
  });

  it('keeps as many lines as the lab does', async () => {
    lab.lines = Array.from({ length: 500 }, (_, n) => line(n + 1));
    await model.refresh();
    lab.lines = [...lab.lines, line(501), line(502)];
    await model.refresh();
    expect(shown()).toHaveLength(500);
    expect(shown()[0]).toBe(3);
  });

  it('asks again after a gap, and when the lab is back', async () => {
    await lab.events.lose();
    await turn();
    expect(lab.asked).toHaveLength(1);
    await lab.events.back();
    await turn();
    expect(lab.asked).toHaveLength(2);
  });

  it("says the lab's reason and keeps what it knew; after its end it is silent", async () => {
    lab.lines = [line(1)];
    await model.refresh();
    lab.refusal = 'a/b has no driver called control-pc.';
    await model.refresh();
    expect(model.state).toMatchObject({ loaded: true, problem: lab.refusal });
    expect(shown()).toEqual([1]);
    model.dispose();
    lab.says();
    await turn();
    expect(lab.asked).toHaveLength(2);
  });
});

describe('the log of a driver', () => {
  it('is for whoever operates QPUs', () => {
    const { manager } = new FakeLab();
    expect(mayReadLogs(manager)).toBe(false);
    manager.state = { ...manager.state, me: me() };
    expect(mayReadLogs(manager)).toBe(false);
    manager.state = { ...manager.state, me: { ...me(), permissions: ['qpus:operate'] } };
    expect(mayReadLogs(manager)).toBe(true);
  });

  it('is copied as a file has it', () => {
    const at = stamp('2030-01-01T12:00:00Z');
    expect(at).toMatch(/^2030-01-01 \d\d:00:00$/);
    expect(plainText([line(1), line(2, { level: 'error', dropped: 3 })])).toBe(
      `${at} INFO qpi_agent.link: line 1\n(3 lines left out)\n${at} ERROR qpi_agent.link: line 2`
    );
  });
});
