import { ServerConnection } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';

import { messageAt } from '../src/messageat';
import { labRequest } from '../src/request';

/** A lab that gives `answer`, and the addresses that it was asked at. */
function lab(answer: () => Response) {
  const asked: string[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost:1/user/ada/',
    fetch: async (input: RequestInfo | URL) => {
      asked.push(input instanceof Request ? input.url : String(input));
      return answer();
    }
  });
  return { asked, request: labRequest(settings) };
}

describe('labRequest', () => {
  it("asks under the Jupyter server's own base URL", async () => {
    const { asked, request } = lab(() => Response.json({ qpus: [] }));
    expect(await request('qpus')).toEqual({ qpus: [] });
    expect(asked).toEqual(['http://localhost:1/user/ada/qpi/v1/qpus']);
  });

  it('rejects in the words of the lab', async () => {
    const error = { kind: 'Conflict', code: 'conflict', message: 'The job has ended.', data: {} };
    const { request } = lab(() => Response.json({ error }, { status: 409 }));
    await expect(request('jobs/j1/cancel')).rejects.toThrow('The job has ended.');
  });

  it('hands on the figures behind a refusal', async () => {
    const data = { next_free: null };
    const error = { kind: 'BookingConflict', code: 'booking_conflict', message: 'Booked.', data };
    const { request } = lab(() => Response.json({ error }, { status: 409 }));
    await expect(request('bookings')).rejects.toMatchObject({ code: 'booking_conflict', data });
  });

  it("says what a proxy said, whose answer is not the lab's", async () => {
    const page = () => new Response('<h1>oh</h1>', { status: 502, statusText: 'Bad Gateway' });
    await expect(lab(page).request('qpus')).rejects.toThrow('Bad Gateway');
  });
});

describe('messageAt', () => {
  const labels = { new: 'New password', max_ahead: 'Bookings ahead', quiet: 'Quiet hours' };
  const said = async (message: string, field: unknown) => {
    const error = { kind: 'Rejected', code: 'bad_request', message, data: { field } };
    const { request } = lab(() => Response.json({ error }, { status: 400 }));
    return messageAt(await request('x').catch((refusal: unknown) => refusal), labels);
  };

  it.each([
    [
      'new must have at least 10 characters.',
      'new',
      '“New password” must have at least 10 characters.'
    ],
    [
      'rule.max_ahead must be a whole number.',
      'rule.max_ahead',
      '“Bookings ahead” must be a whole number.'
    ],
    ['rule.quiet[0].start must be a time.', 'rule.quiet[0].start', '“Quiet hours” must be a time.']
  ])('says what the form calls the field: %s', async (message, field, expected) => {
    expect(await said(message, field)).toBe(expected);
  });

  it.each([
    ['This is not your current password.', 'current'],
    ['seconds must be a number.', 'seconds'],
    ['newer is better.', 'new'],
    ['constructor is unknown.', 'constructor'],
    ['No field at all.', undefined]
  ])('leaves what names no field of the form: %s', async (message, field) => {
    expect(await said(message, field)).toBe(message);
  });
});
