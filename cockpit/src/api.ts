/** The one way to the hub. Writes carry the CSRF value of the session; a lost session sends to the log-in page. */
import { QueryClient } from '@tanstack/react-query'
import type { ApiError, Me } from '../../schemas/admin.ts'

export class ApiFailure extends Error {
  readonly status: number
  readonly code: string
  readonly path: string | undefined
  readonly retryAfter: number | undefined
  constructor(status: number, error: ApiError['error'], retryAfter?: number) {
    super(error.message)
    this.status = status
    this.code = error.code
    this.path = error.path
    this.retryAfter = retryAfter
  }
}

let csrf: string | null = null

async function send<T>(method: string, url: string, body?: unknown): Promise<T> {
  let response: Response
  try {
    response = await fetch(url, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(method === 'GET' || csrf === null ? {} : { 'x-csrf-token': csrf }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  } catch {
    throw new ApiFailure(0, { code: 'NETWORK', message: '' })
  }
  const answer: unknown = await response.json().catch(() => undefined)
  if (!response.ok) {
    const error = (answer as ApiError | undefined)?.error ?? { code: 'INTERNAL', message: `HTTP ${response.status}` }
    if (response.status === 401 && error.code === 'LOGIN_REQUIRED' && url !== '/api/me')
      void queries.invalidateQueries({ queryKey: ['me'] })
    throw new ApiFailure(response.status, error, Number(response.headers.get('retry-after') ?? 0) || undefined)
  }
  return answer as T
}

export const get = <T>(url: string) => send<T>('GET', url)
export const post = <T>(url: string, body?: unknown) => send<T>('POST', url, body)
export const patch = <T>(url: string, body: unknown) => send<T>('PATCH', url, body)
export const remove = <T>(url: string) => send<T>('DELETE', url)

/** Who is logged in, or null. */
export async function fetchMe(): Promise<Me | null> {
  try {
    return keepMe(await get<Me>('/api/me'))
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 401) return null
    throw error
  }
}

export function keepMe(me: Me): Me {
  csrf = me.csrf
  return me
}

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2000,
      retry: (count, error) => !(error instanceof ApiFailure && error.status >= 400 && error.status < 500) && count < 2,
      retryDelay: (count) => 500 * 2 ** count,
    },
  },
})

/** Query string of what is set. */
export function withQuery(path: string, values: Readonly<Record<string, string | undefined>>): string {
  const search = new URLSearchParams(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  )
  return search.size > 0 ? `${path}?${search}` : path
}
