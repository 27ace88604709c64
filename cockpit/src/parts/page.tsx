/** The frame of a page: its name, what it is, how old its data are. */
import type { ReactNode } from 'react'
import { DataAge } from './states.tsx'

export function Page({
  title,
  about,
  at,
  children,
}: {
  title: string
  about?: string
  at?: number | undefined
  children: ReactNode
}) {
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <h1>{title}</h1>
          {about !== undefined && <p className="quiet page-about">{about}</p>}
        </div>
        {at !== undefined && <DataAge at={at} />}
      </div>
      {children}
    </div>
  )
}
