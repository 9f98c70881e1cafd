package ortoo

// What a phone works out, and where it stands, under this package's name.

/** An indicator's figure of a unit in a year. */
public typealias Figure = ortoo.ffi.Figure

/** Something to do. */
public typealias Task = ortoo.ffi.Task

/** Which years' figures are asked for, by the year that the period ends in. */
public typealias Years = ortoo.ffi.Years

/** The year that today is in. */
public typealias ThisYear = ortoo.ffi.Years.This

/** One year. */
public typealias OneYear = ortoo.ffi.Years.One

/** Every year of the plan. */
public typealias EveryYear = ortoo.ffi.Years.Every

/** Where a phone stands. */
public typealias Status = ortoo.ffi.Status

/** How an enrolment ended. */
public typealias Enrolled = ortoo.ffi.Enrolled

/** What an exchange moved: counts, and bytes of message bodies. */
public typealias ExchangeReport = ortoo.ffi.ExchangeReport
