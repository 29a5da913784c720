"""What this application is measured against: an ordinary Flask application.

It has the original's parts (Flask, Flask-Login, Flask-SQLAlchemy, Flask-WTF) and its
pages: list, detail, form and login.  Nothing in it is slow on purpose, and nothing is
tuned either.  ``bench.compare`` fills its database and starts it:

REFERENCE_DB=/somewhere/reference.db gunicorn --threads 8 "bench.reference:create_app()"
"""

import os
from datetime import datetime
from typing import Any

from flask import Flask, abort, flash, redirect, render_template, request, url_for
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect, FlaskForm
from markupsafe import Markup, escape
from werkzeug.security import check_password_hash
from wtforms import (
    BooleanField,
    DateTimeLocalField,
    EmailField,
    PasswordField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length

PAGE = 50
db = SQLAlchemy()


class User(db.Model, UserMixin):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(100), nullable=False)
    email = db.Column(db.String(254), unique=True, nullable=False)
    password_hash = db.Column(db.Text, nullable=False)
    is_active = db.Column(db.Boolean, default=True, nullable=False)


class Appointment(db.Model):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.ForeignKey("user.id"), nullable=False, index=True)
    title = db.Column(db.String(255), nullable=False)
    start = db.Column(db.DateTime, nullable=False, index=True)
    end = db.Column(db.DateTime, nullable=False)
    allday = db.Column(db.Boolean, default=False, nullable=False)
    location = db.Column(db.String(255), default="", nullable=False)
    description = db.Column(db.Text, default="", nullable=False)

    @property
    def duration(self) -> int:
        return int((self.end - self.start).total_seconds())


class LoginForm(FlaskForm):  # type: ignore[misc]
    username = EmailField("Email", [InputRequired(), Length(max=254)])
    password = PasswordField("Password", [InputRequired()])


class AppointmentForm(FlaskForm):  # type: ignore[misc]
    title = StringField("Title", [InputRequired(), Length(max=255)])
    start = DateTimeLocalField("Start", [InputRequired()])
    end = DateTimeLocalField("End", [InputRequired()])
    allday = BooleanField("All day")
    location = StringField("Location", [Length(max=255)])
    description = TextAreaField("Description", [Length(max=10_000)])


def do_datetime(value: datetime) -> str:
    return f"{value:%Y-%m-%d - %A at %I:%M%p}"


def do_duration(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} hours, {minutes} minutes"


def do_nl2br(text: str) -> Markup:
    return Markup("<br>").join(escape(text).split("\n"))


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "only for measuring"
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.environ['REFERENCE_DB']}"
    app.jinja_env.filters.update(datetime=do_datetime, duration=do_duration, nl2br=do_nl2br)
    db.init_app(app)
    CSRFProtect(app)
    login_manager = LoginManager(app)
    login_manager.login_view = "login"
    login_manager.user_loader(load_user)
    app.add_url_rule("/login/", view_func=login, methods=["GET", "POST"])
    app.add_url_rule("/logout/", view_func=logout, methods=["POST"])
    app.add_url_rule("/appointments/", view_func=index)
    app.add_url_rule("/appointments/create/", view_func=create, methods=["GET", "POST"])
    app.add_url_rule("/appointments/<int:appointment_id>/", view_func=detail)
    app.add_url_rule(
        "/appointments/<int:appointment_id>/edit/", view_func=edit, methods=["GET", "POST"]
    )
    return app


def load_user(user_id: str) -> Any:
    return db.session.get(User, int(user_id))


def login() -> Any:
    form = LoginForm()
    if form.validate_on_submit():
        user = db.session.scalar(db.select(User).filter_by(email=form.username.data))
        if user is not None and check_password_hash(user.password_hash, form.password.data or ""):
            login_user(user)
            return redirect(url_for("index"), 303)
        flash("Incorrect username or password.", "error")
    return render_template("login.html", form=form)


@login_required  # type: ignore[untyped-decorator]
def logout() -> Any:
    logout_user()
    flash("You have signed out.", "success")
    return redirect(url_for("login"), 303)


@login_required  # type: ignore[untyped-decorator]
def index() -> Any:
    coming = db.select(Appointment).filter_by(user_id=current_user.id)
    coming = coming.where(Appointment.end > datetime.now()).order_by(Appointment.start)
    appointments = db.session.scalars(coming.limit(PAGE)).all()
    return render_template("list.html", appointments=appointments)


@login_required  # type: ignore[untyped-decorator]
def detail(appointment_id: int) -> Any:
    return render_template("detail.html", appointment=own_appointment(appointment_id))


@login_required  # type: ignore[untyped-decorator]
def create() -> Any:
    return _save(Appointment(user_id=current_user.id), AppointmentForm())


@login_required  # type: ignore[untyped-decorator]
def edit(appointment_id: int) -> Any:
    appointment = own_appointment(appointment_id)
    return _save(appointment, AppointmentForm(obj=appointment))


def own_appointment(appointment_id: int) -> Any:
    own = db.select(Appointment).filter_by(id=appointment_id, user_id=current_user.id)
    return db.session.scalar(own) or abort(404)


def _save(appointment: Any, form: AppointmentForm) -> Any:
    if request.method == "POST" and form.validate():
        form.populate_obj(appointment)
        db.session.add(appointment)
        db.session.commit()
        flash("Saved.", "success")
        return redirect(url_for("detail", appointment_id=appointment.id), 303)
    return render_template("form.html", form=form, appointment=appointment)
