/** What somebody who acted is called: the name of a user or of a token, else the id as it is. */
import type { Db } from '../../stores/open.ts'

export async function actorNames(db: Db): Promise<(actor: string) => string> {
  const [users, tokens] = await Promise.all([
    db.selectFrom('users').select(['id', 'name']).execute(),
    db.selectFrom('api_tokens').select(['id', 'name']).execute(),
  ])
  const names = new Map([...tokens, ...users].map(({ id, name }) => [id, name]))
  return (actor) => names.get(actor) ?? actor
}
