/** The sections of a tab that somebody with these permissions sees, in their order. */
export function allowed<Id extends string>(
  sections: Readonly<Record<Id, string>>,
  permissions: readonly string[]
): readonly Id[] {
  return (Object.keys(sections) as Id[]).filter(id => permissions.includes(sections[id]));
}
