import { useQuery } from '@tanstack/react-query'
import type { Me, Permission } from '../../schemas/admin.ts'
import { fetchMe } from './api.ts'
import { setZone } from './format.ts'

export const meQuery = { queryKey: ['me'], queryFn: fetchMe, staleTime: 60_000 } as const

/** Only below the shell, which shows nothing until somebody is logged in. */
export function useMe(): Me {
  const { data } = useQuery(meQuery)
  if (!data) throw new Error('nobody is logged in')
  setZone(data.organization.timezone)
  return data
}

export function useMay(): (permission: Permission) => boolean {
  const me = useMe()
  return (permission) => me.permissions.includes(permission)
}
