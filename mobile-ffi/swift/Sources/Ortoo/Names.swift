import OrtooFFI

// What an app sees of the generated types, under names of this module, so that `import Ortoo` is all.

public typealias Checked = OrtooFFI.Checked
public typealias Choice = OrtooFFI.Choice
public typealias Conflict = OrtooFFI.Conflict
public typealias Draft = OrtooFFI.Draft
/// Something to do. `Task` is the language's own.
public typealias DueTask = OrtooFFI.Task
public typealias Enrolled = OrtooFFI.Enrolled
public typealias Event = OrtooFFI.Event
public typealias ExchangeReport = OrtooFFI.ExchangeReport
public typealias Figure = OrtooFFI.Figure
public typealias Item = OrtooFFI.Item
public typealias Language = OrtooFFI.Language
public typealias Plan = OrtooFFI.Plan
public typealias Problem = OrtooFFI.Problem
public typealias Progress = OrtooFFI.Progress
public typealias Record = OrtooFFI.Record
public typealias Status = OrtooFFI.Status
public typealias Subject = OrtooFFI.Subject
public typealias Title = OrtooFFI.Title
public typealias Value = OrtooFFI.Value
public typealias Years = OrtooFFI.Years

extension Record {
    /// The text under `section.field`, if it holds one.
    public func text(_ key: String) -> String? {
        if case .text(let value)? = fields[key] { return value }
        return nil
    }
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
