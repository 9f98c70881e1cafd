package ortoo

// The types of the plan, under this package's name: enough for an app to draw its own forms and lists.

/** The plan. */
public typealias Plan = ortoo.ffi.Plan

/** A text of the plan, in both languages. */
public typealias Title = ortoo.ffi.Title

/** The language of the sentences that come with codes. */
public typealias Language = ortoo.ffi.Language

/** What records are about, with its sections. */
public typealias SubjectOfPlan = ortoo.ffi.SubjectOfPlan

/** A named group of fields. */
public typealias Section = ortoo.ffi.Section

/** Whether a section repeats: [OneSet], [Items] or [NamedItems]. */
public typealias Repeats = ortoo.ffi.Repeats

/** One set of current values. */
public typealias OneSet = ortoo.ffi.Repeats.No

/** Items, in order of the date in a field where they have one. */
public typealias Items = ortoo.ffi.Repeats.Items

/** Items that are named by what some fields hold: writing the same names again edits the same item. */
public typealias NamedItems = ortoo.ffi.Repeats.NamedItems

/** One thing that is asked. */
public typealias Field = ortoo.ffi.Field

/** What a value is: one of the `…Field` types. */
public typealias FieldKind = ortoo.ffi.FieldKind

/** Text. */
public typealias WordsField = ortoo.ffi.FieldKind.Words

/** `YYYY-MM-DD`, not before 1900. */
public typealias DayField = ortoo.ffi.FieldKind.Day

/** A whole number. */
public typealias WholeField = ortoo.ffi.FieldKind.Whole

/** `true` or `false`. */
public typealias YesNoField = ortoo.ffi.FieldKind.YesNo

/** One code of a list. */
public typealias ChoiceField = ortoo.ffi.FieldKind.Choice

/** Any number of codes of a list, joined by commas. */
public typealias ChoicesField = ortoo.ffi.FieldKind.Choices

/** The id of a record. */
public typealias ReferenceField = ortoo.ffi.FieldKind.Reference

/** `latitude,longitude` in degrees, with at most one decimal. */
public typealias PositionField = ortoo.ffi.FieldKind.Position

/** A code list. Codes are stored, titles are shown. */
public typealias CodeList = ortoo.ffi.CodeList

/** A code. */
public typealias Code = ortoo.ffi.Code

/** A register (台账): which records it shows and what is filled in for it. */
public typealias Register = ortoo.ffi.Register

/** A column of a register. */
public typealias Column = ortoo.ffi.Column

/** Something that has to be done for a row of a register. */
public typealias TaskOfPlan = ortoo.ffi.TaskOfPlan

/** A target of the plan. */
public typealias Indicator = ortoo.ffi.Indicator

/** What a figure is measured in. */
public typealias Measure = ortoo.ffi.Measure

/** An org unit. */
public typealias OrgUnit = ortoo.ffi.OrgUnit

/** The level of an org unit. */
public typealias Level = ortoo.ffi.Level
