/** Calls of the admin API by somebody with a role, each role with a token of its own. */
import type { Role } from '../../schemas/admin.ts'
import type { AdminHub } from './admin-hub.ts'

/** @param hub asked for at the first call, since tests start theirs later. */
export function adminCalls(hub: () => AdminHub) {
  const tokens = new Map<Role, Promise<string>>()
  const tokenOf = (role: Role): Promise<string> => {
    let token = tokens.get(role)
    if (!token) {
      token = hub()
        .run('createToken', { name: role, role })
        .then((made) => (made as { value: { value: string } }).value.value)
      tokens.set(role, token)
    }
    return token
  }
  return async function call(method: string, path: string, role: Role, body?: unknown) {
    const response = await fetch(hub().url + path, {
      method,
      headers: {
        authorization: `Bearer ${await tokenOf(role)}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all shapes.
    return { status: response.status, body: (await response.json()) as any }
  }
}
