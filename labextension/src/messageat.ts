import { LabError, messageOf } from './request';

/** What to tell people below a form: the lab names what is wrong as it was sent, a person knows its label. */
export function messageAt(error: unknown, labels: Readonly<Record<string, string>>): string {
  const message = messageOf(error);
  const field = error instanceof LabError ? error.data.field : null;
  if (typeof field !== 'string' || !message.startsWith(`${field} `)) {
    return message;
  }
  // The path of a part, such as rule.quiet[0].start
  const name = field.split(/[.[\]]+/).find(part => Object.hasOwn(labels, part));
  const label = name === undefined ? undefined : labels[name];
  return label === undefined ? message : `“${label}”${message.slice(field.length)}`;
}
