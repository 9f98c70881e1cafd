import OrtooFFI

// What an app sees of the generated types, under names of this module, so that `import Ortoo` is all.
// Where the generated name is also one of the language, of Foundation or of SwiftUI, ours is another:
// an app that imports both could name neither.

// MARK: Records

/// What a record is about: a person, a household, or an organisation.
public typealias Subject = OrtooFFI.Subject
/// A record, or a group of linked records as one.
public typealias Record = OrtooFFI.Record
/// One item of a repeating section.
public typealias Item = OrtooFFI.Item
/// A value as it is shown.
public typealias Value = OrtooFFI.Value
/// Values written apart under one key.
public typealias Conflict = OrtooFFI.Conflict
/// How a conflict is settled.
public typealias Choice = OrtooFFI.Choice
/// One value written at some time.
public typealias Event = OrtooFFI.Event
/// What is being typed, before it is saved.
public typealias Draft = OrtooFFI.Draft
/// A draft that was looked at.
public typealias Checked = OrtooFFI.Checked
/// One thing that is wrong. Its key and message may name a person's values: show them, never log them.
public typealias Problem = OrtooFFI.Problem

/// Where a record stands once `Phone.link` or `Phone.unlink` said something of it.
public typealias Linked = OrtooFFI.Linked

/// What was written here on a record before this device heard that the office had it erased, and the office
/// never saw. It is applied nowhere until its author decides: `Phone.registerKept` or `Phone.dropKept`.
public typealias KeptEdit = OrtooFFI.KeptEdit

// MARK: Bundles

/// A bundle to give to whoever travels. `Bundle` is Foundation's.
public typealias RelayBundle = OrtooFFI.RelayBundle
/// What a bundle brought.
public typealias BundleReport = OrtooFFI.BundleReport
/// What a store holds that the server does not have, as a bundle for the server alone.
public typealias Outbox = OrtooFFI.Outbox

// MARK: Work

/// How an enrolment ended.
public typealias Enrolled = OrtooFFI.Enrolled
/// How far an exchange has come. `Progress` is Foundation's.
public typealias ExchangeProgress = OrtooFFI.Progress
/// What an exchange moved.
public typealias ExchangeReport = OrtooFFI.ExchangeReport
/// Where a phone stands.
public typealias Status = OrtooFFI.Status
/// Something to do. `Task` is the language's.
public typealias DueTask = OrtooFFI.Task
/// An indicator's figure of a unit in a year.
public typealias Figure = OrtooFFI.Figure
/// Which years' figures are asked for, by the year that the period ends in.
public typealias Years = OrtooFFI.Years

// MARK: Plan

/// The plan: enough for an app to draw its own forms and lists.
public typealias Plan = OrtooFFI.Plan
/// What records are about: `person`, `household`, `organisation`.
public typealias SubjectOfPlan = OrtooFFI.SubjectOfPlan
/// A named group of fields. `Section` is SwiftUI's.
public typealias SectionOfPlan = OrtooFFI.Section
/// Whether a section repeats.
public typealias Repeats = OrtooFFI.Repeats
/// One thing that is asked.
public typealias Field = OrtooFFI.Field
/// What a value is.
public typealias FieldKind = OrtooFFI.FieldKind
/// A code list. Codes are stored, titles are shown.
public typealias CodeList = OrtooFFI.CodeList
/// A code.
public typealias Code = OrtooFFI.Code
/// A register (台账): which records it shows and what is filled in for it.
public typealias Register = OrtooFFI.Register
/// A column of a register.
public typealias Column = OrtooFFI.Column
/// Something that has to be done for a row of a register.
public typealias TaskOfPlan = OrtooFFI.TaskOfPlan
/// A target of the plan.
public typealias Indicator = OrtooFFI.Indicator
/// What a figure is measured in.
public typealias Measure = OrtooFFI.Measure
/// An org unit.
public typealias OrgUnit = OrtooFFI.OrgUnit
/// The level of an org unit.
public typealias Level = OrtooFFI.Level
/// The language of the sentences that come with codes.
public typealias Language = OrtooFFI.Language
/// A text of the plan, in both languages.
public typealias Title = OrtooFFI.Title

extension Value {
    /// The value as it is typed in: `true` or `false`, digits, `YYYY-MM-DD`, a code, codes joined by
    /// commas, nothing for an empty one.
    public var typed: String {
        switch self {
        case .empty: return ""
        case .flag(let value): return String(value)
        case .number(let value): return String(value)
        case .text(let value): return value
        case .codes(let values): return values.joined(separator: ",")
        }
    }
}

extension Record {
    /// What stands under `section.field`, as it is typed in; `nil` where nothing stands.
    public func text(_ key: String) -> String? { fields[key]?.typed }

    /// The items of a repeating section, none where there are none.
    public func items(of section: String) -> [Item] { items[section] ?? [] }
}

extension KeptEdit {
    /// What was written under `section.field`, as it is typed in; `nil` where nothing was.
    public func text(_ key: String) -> String? { values[key]?.typed }
}

extension Item {
    /// What stands in a field of the item's section, as it is typed in; `nil` where nothing stands.
    public func text(_ key: String) -> String? { fields[key]?.typed }
}

extension Title {
    /// The title in a language.
    public func text(_ language: Language) -> String {
        switch language {
        case .chinese: return zh
        case .english: return en
        }
    }
}
