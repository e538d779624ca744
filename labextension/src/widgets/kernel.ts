import type { Event } from '@jupyterlab/services';
import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { EventBus } from '../events';
import { LabError, type LabFile, type LabRequest } from '../request';

/** A widget's model as anywidget gives it. */
export interface IWidgetModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: object): void;
  on(event: string, listener: (...args: never[]) => void): void;
  off(event: string, listener: (...args: never[]) => void): void;
}

/** What the kernel says (qpi_jupyter/ui/widget.py): an answer to a question of ours, an event, or how the lab is. */
interface IMessage {
  readonly n?: string;
  readonly body?: unknown;
  readonly error?: {
    readonly status: number;
    readonly message: string;
    readonly code: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
  readonly event?: Event.Emission;
  /** Why the lab does not answer the kernel; empty: it does again. */
  readonly away?: string;
}

/** A kernel that runs a long cell answers after it; one that is gone never does (ms). */
const PATIENCE = 60_000;

/** The lab as a widget reaches it: its kernel asks, because the page may have no lab beside it. */
export class Kernel {
  constructor(private readonly _model: IWidgetModel) {
    _model.on('msg:custom', this._heard);
  }

  /** The lab's events, as Jupyter's event bus tells them. */
  get events(): EventBus {
    return this._events;
  }

  /** Emitted when the lab stops answering the kernel, with the reason, and with '' when it does again. */
  readonly away = new Signal<this, string>(this);

  readonly request: LabRequest = async <T>(path: string, init: RequestInit = {}): Promise<T> => {
    return (await this._ask(path, init)).body as T;
  };

  readonly file: LabFile = async path => {
    const { body } = await this._ask(path, {}, true);
    return new Blob([body as BlobPart]);
  };

  /** Ask the kernel itself for something that is not the lab's. */
  async call<T>(what: string, body: object): Promise<T> {
    return (await this._put({ do: what, body })).body as T;
  }

  dispose(): void {
    this._model.off('msg:custom', this._heard);
    Signal.clearData(this);
    for (const { refuse } of this._open.values()) {
      refuse(new Error('closed'));
    }
  }

  private _ask(path: string, init: RequestInit, blob = false): Promise<IMessage> {
    const headers = new Headers(init.headers);
    const body = typeof init.body === 'string' ? (JSON.parse(init.body) as unknown) : null;
    const method = init.method ?? 'GET';
    return this._put({ path, method, body, blob, key: headers.get('Idempotency-Key') });
  }

  private _put(question: object): Promise<IMessage> {
    this._count += 1;
    const n = `${this._name}-${this._count}`; // other views of the same widget hear the answer, too
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => refuse(silent()), PATIENCE);
      const end = () => {
        clearTimeout(timer);
        this._open.delete(n);
      };
      const refuse = (error: Error) => {
        end();
        reject(error);
      };
      const take = (answer: IMessage) => {
        end();
        resolve(answer);
      };
      this._open.set(n, { take, refuse });
      this._model.send({ ...question, n });
    });
  }

  private readonly _heard = (message: IMessage, buffers: readonly DataView[]): void => {
    const { n, away, error, event } = message;
    if (event !== undefined) {
      this._events.emit(event);
    }
    if (away !== undefined) {
      this.away.emit(away);
    }
    const asked = n === undefined ? undefined : this._open.get(n);
    if (error !== undefined) {
      asked?.refuse(
        error.status === 0
          ? new ServerConnection.NetworkError(new TypeError(error.message))
          : new LabError(
              new Response(null, { status: error.status }),
              error.message,
              error.code,
              error.data
            )
      );
    } else {
      asked?.take(buffers.length > 0 ? { ...message, body: buffers[0] } : message);
    }
  };

  private _count = 0;
  private readonly _events = new Signal<this, Event.Emission>(this);
  private readonly _name = Math.random().toString(36).slice(2);
  private readonly _open = new Map<string, IOpen>();
}

interface IOpen {
  readonly take: (answer: IMessage) => void;
  readonly refuse: (error: Error) => void;
}

function silent(): Error {
  return new Error(
    'The kernel does not answer. It may be busy with a cell, or have been restarted.'
  );
}
