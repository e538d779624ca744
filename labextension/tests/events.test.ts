import { beforeEach, describe, expect, it } from 'vitest';

import { EventFollower } from '../src/events';
import type { LabRequest } from '../src/request';
import type { LabEvent } from '../src/wire';
import { event, FakeBus } from './faults';

describe('EventFollower', () => {
  let bus: FakeBus;
  let follower: EventFollower;
  let told: (number | string)[];
  let asked: string[];
  let answer: () => Promise<readonly LabEvent[]>;

  const qpu = (seq: number, prev = seq - 1) => event({ seq, prev, kind: 'qpu.changed' });
  const say = (seq: number, prev?: number) => bus.say({ ...qpu(seq, prev) });
  const turn = () => new Promise(resolve => setTimeout(resolve));

  beforeEach(() => {
    bus = new FakeBus();
    [told, asked] = [[], []];
    answer = async () => [];
    const request: LabRequest = async <T>(path: string) => {
      asked.push(path);
      return { events: await answer(), cursor: 0 } as T;
    };
    follower = new EventFollower(bus.stream, request);
    follower.follow({
      heard: ({ seq }) => told.push(seq),
      missed: () => told.push('missed'),
      back: () => told.push('back')
    });
  });

  it('asks for what the bus lost, and takes what that brings late for no gap', async () => {
    answer = async () => [qpu(2), qpu(3), qpu(4), qpu(5)];
    say(1);
    say(4);
    await turn();
    say(5);
    say(6);
    await turn();
    expect(asked).toEqual(['events?after=1&limit=500']);
    expect(told).toEqual([1, 4, 2, 3, 4, 5, 5, 6]);
  });

  it('is not misled by what happens while it asks', async () => {
    let give = (_: readonly LabEvent[]): void => undefined;
    answer = () => new Promise(resolve => (give = resolve));
    say(1);
    say(3);
    say(4);
    give([qpu(2), qpu(3)]);
    await turn();
    say(5);
    await turn();
    expect(told).toEqual([1, 3, 4, 2, 3, 5]);
    expect(asked).toHaveLength(1);
  });

  it('fills a gap when the lab is back, where it was away', async () => {
    answer = async () => Promise.reject(new Error('no route'));
    say(1);
    say(3);
    await turn();
    expect(follower.isBehind).toBe(true);
    answer = async () => [qpu(2), qpu(3), qpu(4)];
    await follower.catchUp();
    expect(follower.isBehind).toBe(false);
    expect(asked.at(-1)).toBe('events?after=1&limit=500');
    expect(told).toEqual([1, 3, 2, 3, 4, 'back']);
  });

  it('says that it missed something where the lab has begun anew', async () => {
    say(7);
    say(1, 0);
    say(2);
    await turn();
    expect(told).toEqual([7, 1, 'missed', 2]);
    expect(asked).toEqual([]);
  });

  it('tells nobody who has left, and nothing after its end', async () => {
    const leave = follower.follow({ heard: () => told.push('other'), missed: () => undefined });
    say(1);
    leave();
    say(2);
    follower.dispose();
    say(3);
    expect(told).toEqual([1, 'other', 2]);
  });
});
