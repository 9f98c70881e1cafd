package ortoo

// The types of records, under this package's name. Kotlin reaches no nested class through an alias, so
// the cases of a type that has cases have a name each; `when` over them is exhaustive.

/** What a record is about: a person, a household, or an organisation. */
public typealias Subject = ortoo.ffi.Subject

/** A record, or a group of linked records as one. */
public typealias Record = ortoo.ffi.Record

/** One item of a repeating section. */
public typealias Item = ortoo.ffi.Item

/** Values written apart under one key. */
public typealias Conflict = ortoo.ffi.Conflict

/** Where a record stands once [Phone.link] or [Phone.unlink] said something of it. */
public typealias Linked = ortoo.ffi.Linked

/**
 * What was written here on a record before this device heard that the office had it erased, and the
 * office never saw. It is applied nowhere until its author decides: [Phone.registerKept] or
 * [Phone.dropKept].
 */
public typealias KeptEdit = ortoo.ffi.KeptEdit

/** One value written at some time. */
public typealias Event = ortoo.ffi.Event

/** One thing that is wrong. Its key and message may name a person's values: show them, never log them. */
public typealias Problem = ortoo.ffi.Problem

/** A draft that was looked at. */
public typealias Checked = ortoo.ffi.Checked

/** A value as it is shown: one of the `…Value` types. */
public typealias Value = ortoo.ffi.Value

/** Empty; only in conflicts and histories, where emptying a field is something that happened. */
public typealias EmptyValue = ortoo.ffi.Value.Empty

/** Yes or no. */
public typealias FlagValue = ortoo.ffi.Value.Flag

/** A whole number. */
public typealias NumberValue = ortoo.ffi.Value.Number

/** Text, date, code, reference. */
public typealias TextValue = ortoo.ffi.Value.Text

/** The chosen codes of a multi-choice, ascending. */
public typealias CodesValue = ortoo.ffi.Value.Codes

/** What is being typed, before it is saved: [NewRecord], [RecordEdit] or [NewItem]. */
public typealias Draft = ortoo.ffi.Draft

/** A new record, of `section.field`; its unit may be null where the device holds one. */
public typealias NewRecord = ortoo.ffi.Draft.New

/** Values of a record, of `section.field` or `section#item.field`. */
public typealias RecordEdit = ortoo.ffi.Draft.Edit

/** An item of a repeating section, of `field`. */
public typealias NewItem = ortoo.ffi.Draft.NewItem

/** How a conflict is settled: [TakeValue] or [WriteValue]. */
public typealias Choice = ortoo.ffi.Choice

/** One of the values listed, counted from 0. */
public typealias TakeValue = ortoo.ffi.Choice.Take

/** Another value, as typed. */
public typealias WriteValue = ortoo.ffi.Choice.Write
